"""Many rows into PostgreSQL: COPY in text format from a stream."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from qadb.backends.binding import row_binder
from qadb.backends.postgresql.copy_text import CopyStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table

_stage_numbers = count(1)


def insert(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> int:
    """Insert rows, given as values in the order of ``columns``; returns how many."""
    quote = connection.dialect.identifier_preparer.quote
    return _copy(connection, quote(table.name), table, columns, rows)


def insert_missing(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Insert the rows that break no unique key and pass over the others.

    COPY knows no ON CONFLICT: the rows pass through a temporary table of the transaction.
    """
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(name) for name in columns)
    target = quote(table.name)
    stage = f"qadb_stage_{next(_stage_numbers)}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT {names} FROM {target} LIMIT 0"
    )
    _copy(connection, stage, table, columns, rows)
    connection.exec_driver_sql(
        f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage} ON CONFLICT DO NOTHING"
    )
    connection.exec_driver_sql(f"DROP TABLE {stage}")


def _copy(
    connection: Connection,
    target: str,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> int:
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(name) for name in columns)
    bind = row_binder(connection.dialect, table, columns)
    stream = CopyStream(map(bind, rows))
    cursor = connection.connection.cursor()
    try:
        cursor.copy_expert(f"COPY {target} ({names}) FROM STDIN", stream)
        return int(cursor.rowcount)
    finally:
        cursor.close()
