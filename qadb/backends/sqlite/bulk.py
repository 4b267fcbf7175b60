"""Many rows into SQLite: one prepared statement over a stream of rows."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from qadb.backends.binding import BoundRows
from qadb.backends.failures import REFUSALS, refused_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table


def insert(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> int:
    """Insert rows, given as values in the order of ``columns``; returns how many."""
    return _execute(connection, table, columns, rows)


def insert_missing(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Insert the rows that break no unique key and pass over the others.

    ``ON CONFLICT DO NOTHING`` and not ``OR IGNORE``: that would swallow broken CHECKs as well.
    """
    _execute(connection, table, columns, rows, " ON CONFLICT DO NOTHING")


def _execute(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    ending: str = "",
) -> int:
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(name) for name in columns)
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks}){ending}"
    bound = BoundRows(connection.dialect, table, columns, rows)
    with closing(connection.connection.cursor()) as cursor:
        try:
            cursor.executemany(sql, bound)  # type: ignore[arg-type]  # any iterable will do
        except REFUSALS as error:
            if error is bound.caller_error:
                raise
            raise refused_value(error) from error
        return max(cursor.rowcount, 0)
