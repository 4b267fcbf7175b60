"""Many rows into SQLite: one prepared statement over a stream of tuples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.backends.binding import row_binder

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
    return _execute(connection, "INSERT INTO", table, columns, rows)


def insert_missing(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Insert the rows that break no unique key and pass over the others.

    ``ON CONFLICT DO NOTHING`` and not ``OR IGNORE``: that would swallow broken CHECKs as well.
    """
    _execute(connection, "INSERT INTO", table, columns, rows, " ON CONFLICT DO NOTHING")


def _execute(
    connection: Connection,
    verb: str,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    ending: str = "",
) -> int:
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(name) for name in columns)
    marks = ", ".join("?" * len(columns))
    sql = f"{verb} {quote(table.name)} ({names}) VALUES ({marks}){ending}"
    bind = row_binder(connection.dialect, table, columns)
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(sql, map(bind, rows))
        return max(cursor.rowcount, 0)
    finally:
        cursor.close()
