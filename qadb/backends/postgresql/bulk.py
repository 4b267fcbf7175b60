"""Many rows into PostgreSQL: COPY in text format from a stream."""

from __future__ import annotations

from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING

import psycopg2
from psycopg2.extensions import quote_ident
from sqlalchemy.exc import DBAPIError

from qadb.backends.binding import BoundRows
from qadb.backends.postgresql.copy_text import CopyStream, to_text
from qadb.backends.postgresql.driver import catching_printed_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table

_stage_numbers = count(1)

ALLOWS_COPY_SQL = "SELECT NOT pg_catalog.row_security_active(%s)"


def insert(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> int:
    """Insert rows, given as values in the order of ``columns``; returns how many.

    PostgreSQL refuses COPY to a role that row-level security confines: its rows take the way
    through a temporary table.
    """
    if _allows_copy(connection, table):
        return _copy(connection, table.name, table, columns, rows)
    return _insert_through_stage(connection, table, columns, rows)


def insert_missing(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Insert the rows that break no unique key and pass over the others.

    COPY knows no ON CONFLICT: the rows pass through a temporary table of the transaction.
    """
    _insert_through_stage(connection, table, columns, rows, " ON CONFLICT DO NOTHING")


def _allows_copy(connection: Connection, table: Table) -> bool:
    quoted = connection.dialect.identifier_preparer.format_table(table)
    allowed: bool = connection.exec_driver_sql(ALLOWS_COPY_SQL, (quoted,)).scalar_one()
    return allowed


def _insert_through_stage(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    ending: str = "",
) -> int:
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(name) for name in columns)
    target = quote(table.name)
    stage = f"qadb_stage_{next(_stage_numbers)}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT {names} FROM {target} LIMIT 0"
    )
    _copy(connection, stage, table, columns, rows)
    result = connection.exec_driver_sql(
        f"INSERT INTO {target} ({names}) SELECT {names} FROM {stage}{ending}"
    )
    connection.exec_driver_sql(f"DROP TABLE {stage}")
    return result.rowcount


def _copy(
    connection: Connection,
    target: str,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> int:
    stream = CopyStream(BoundRows(connection.dialect, table, columns, rows, to_text))
    driver_connection = connection.connection
    with closing(driver_connection.cursor()) as cursor, catching_printed_errors() as printed:
        names = ", ".join(quote_ident(name, cursor) for name in columns)
        statement = f"COPY {quote_ident(target, cursor)} ({names}) FROM STDIN"
        try:
            cursor.copy_expert(statement, stream)
        except psycopg2.Error as error:
            if stream.error is not None:
                raise stream.error from None
            if driver_connection.closed:  # SQLAlchemy knows nothing of it yet
                connection.invalidate(error)
                reason = printed[0] if printed else error
                raise DBAPIError(statement, None, reason, connection_invalidated=True) from error
            raise
        return int(cursor.rowcount)
