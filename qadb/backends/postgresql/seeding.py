"""What filling an empty PostgreSQL database takes beside writing rows: a lock, and sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

MS_PER_SECOND = 1000

WAIT_SQL = "SELECT pg_catalog.set_config('lock_timeout', %s, true)"

# Never backwards: others may have drawn numbers and rolled back what they wrote with them.
CONTINUE_SQL = """
SELECT pg_catalog.setval(own.sequence, GREATEST(own.highest, pg_sequence_last_value(own.sequence)))
FROM (
  SELECT pg_get_serial_sequence(%s, %s)::regclass AS sequence, (SELECT max({column}) FROM {table})
    AS highest
) AS own WHERE own.highest IS NOT NULL
"""


def exclude_writers(connection: Connection, table: Table, *, wait_seconds: float) -> None:
    """Wait for whoever wrote rows with a foreign key to the table, then keep others out.

    Checking such a key locks a row of the table, and EXCLUSIVE is the weakest lock that forbids
    that; reading goes on.
    """
    quoted = connection.dialect.identifier_preparer.format_table(table)
    connection.exec_driver_sql(WAIT_SQL, (f"{round(wait_seconds * MS_PER_SECOND)}",))
    connection.exec_driver_sql(f"LOCK TABLE {quoted} IN EXCLUSIVE MODE")


def continue_ids(connection: Connection, tables: Sequence[Table]) -> None:
    """Set the sequences of the tables' keys to the highest key."""
    for table in tables:
        (key,) = table.primary_key
        preparer = connection.dialect.identifier_preparer
        quoted = preparer.format_table(table)
        statement = CONTINUE_SQL.format(column=preparer.quote(key.name), table=quoted)
        connection.exec_driver_sql(statement, (quoted, key.name))
