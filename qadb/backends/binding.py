"""Converts values for a driver as the columns' types ask, for paths that go past SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Dialect, Table


def row_binder(
    dialect: Dialect, table: Table, columns: Sequence[str]
) -> Callable[[Sequence[object]], Sequence[object]]:
    """Return a function that converts one row, values in the order of ``columns``.

    Columns whose type converts nothing cost nothing.
    """
    processors = [
        table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in columns
    ]
    active = [(i, process) for i, process in enumerate(processors) if process is not None]
    if not active:
        return lambda row: row

    def bind(row: Sequence[object]) -> Sequence[object]:
        values = list(row)
        for i, process in active:
            if values[i] is not None:
                values[i] = process(values[i])
        return values

    return bind
