"""Many rows of a model into its table, as they come."""

from __future__ import annotations

from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from sqlalchemy import ColumnDefault, insert, inspect

from qadb.models import Base
from qadb.repositories.generic.filters import column_of
from qadb.repositories.generic.tables import table_of
from qadb.sessions.bulk import insert_rows
from qadb.sessions.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session

BATCH_ROWS = 1000


def create_rows(
    session: Session, model: type[Base], rows: Iterable[Base | Mapping[str, object]]
) -> int:
    """Insert the rows, each run of rows with the same names at once; returns how many."""
    session.flush()
    unit = session if isinstance(session, UnitOfWork) else None
    connection = session.connection() if unit is None else unit.own_connection()
    count = 0
    with connection.begin_nested():
        for names, group in groupby((_values(row, model) for row in rows), key=tuple):
            for name in names:
                column_of(model, name)
            columns = [inspect(model).column_attrs[name].columns[0].name for name in names]
            if not columns:
                raise ValueError(f"a row of {model.__tablename__} has no values")
            defaults = _defaults(model, names)
            if unit is None or defaults is None:
                count += _insert_by_orm(session, model, group)
            else:
                values = _Values(names, list(defaults.values()))
                table = table_of(model)
                count += insert_rows(unit, table, [*columns, *defaults], map(values.of, group))
    return count


def _values(row: Base | Mapping[str, object], model: type[Base]) -> Mapping[str, object]:
    if not isinstance(row, Base):
        return row
    if not isinstance(row, model):
        raise TypeError(f"{type(row).__name__} is no {model.__name__}")
    stated = row.__dict__
    names = (attribute.key for attribute in inspect(model).column_attrs)
    return {name: stated[name] for name in names if name in stated}


def _defaults(model: type[Base], names: Sequence[str]) -> dict[str, Callable[[], object]] | None:
    """What Python fills in for columns that are not named; None when SQL has to do it."""
    found: dict[str, Callable[[], object]] = {}
    for column in table_of(model).columns:
        default = column.default
        if default is None or column.key in names:
            continue
        if not isinstance(default, ColumnDefault) or default.is_clause_element:
            return None
        found[column.key] = _maker(default)
    return found


def _maker(default: ColumnDefault) -> Callable[[], object]:
    argument = default.arg
    return (lambda: argument(None)) if default.is_callable else (lambda: argument)


class _Values:
    """Takes a row's values in a fixed order."""

    def __init__(self, names: Sequence[str], makers: Sequence[Callable[[], object]]) -> None:
        self._take = itemgetter(*names)
        self._is_single = len(names) == 1
        self._makers = makers

    def of(self, row: Mapping[str, object]) -> Sequence[object]:
        taken = self._take(row)
        stated: tuple[object, ...] = (taken,) if self._is_single else taken
        return (*stated, *[make() for make in self._makers]) if self._makers else stated


def _insert_by_orm(
    session: Session, model: type[Base], rows: Iterator[Mapping[str, object]]
) -> int:
    count = 0
    while batch := [dict(row) for row in islice(rows, BATCH_ROWS)]:
        session.execute(insert(model), batch)
        count += len(batch)
    return count
