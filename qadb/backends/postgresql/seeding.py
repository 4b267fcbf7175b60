"""What filling an empty PostgreSQL database takes beside writing rows: locks, and sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Table

MS_PER_SECOND = 1000

WAIT_SQL = "SELECT pg_catalog.set_config('lock_timeout', %s, true)"
SEQUENCE_SQL = "SELECT pg_catalog.pg_get_serial_sequence(%s, %s)"

# Any change takes the lock that drawing a number waits for; this one says what is so already.
LOCK_SQL = "ALTER SEQUENCE {sequence} AS bigint"
HIGHEST_SQL = "SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM {sequence}"
ANALYZE_SQL = "ANALYZE (SKIP_LOCKED) {tables}"
RESTART_SQL = "ALTER SEQUENCE {sequence} RESTART WITH {first}"


def exclude_writers(connection: Connection, table: Table, *, wait_seconds: float) -> None:
    """Wait for whoever wrote rows with a foreign key to the table, then keep others out.

    Checking such a key locks a row of the table, and EXCLUSIVE is the weakest lock that forbids
    that; reading goes on.
    """
    quoted = connection.dialect.identifier_preparer.format_table(table)
    connection.exec_driver_sql(WAIT_SQL, (f"{round(wait_seconds * MS_PER_SECOND)}",))
    connection.exec_driver_sql(f"LOCK TABLE {quoted} IN EXCLUSIVE MODE")


def reserve_ids(connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
    """Keep others from drawing numbers of the tables' sequences; the highest drawn by now.

    Numbers that were drawn for rows which nobody sees yet would be in the way otherwise.
    """
    highest: dict[str, int] = {}
    for table in tables:
        sequence = _sequence(connection, table)
        connection.exec_driver_sql(LOCK_SQL.format(sequence=sequence))
        query = HIGHEST_SQL.format(sequence=sequence)
        highest[table.name] = connection.exec_driver_sql(query).scalar_one()
    return highest


def continue_ids(connection: Connection, highest: Mapping[Table, int]) -> None:
    """Restart the sequences behind the highest keys; it is undone with the transaction."""
    for table, number in highest.items():
        sequence = _sequence(connection, table)
        connection.exec_driver_sql(RESTART_SQL.format(sequence=sequence, first=number + 1))


def learn_statistics(connection: Connection, tables: Sequence[Table]) -> None:
    """The server would come to it by itself a minute later, or never where that is off."""
    quote = connection.dialect.identifier_preparer.format_table
    connection.exec_driver_sql(ANALYZE_SQL.format(tables=", ".join(map(quote, tables))))


def _sequence(connection: Connection, table: Table) -> str:
    """The quoted name of the sequence behind the table's key."""
    (key,) = table.primary_key
    quoted = connection.dialect.identifier_preparer.format_table(table)
    name: str = connection.exec_driver_sql(SEQUENCE_SQL, (quoted, key.name)).scalar_one()
    return name
