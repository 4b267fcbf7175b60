"""What filling an empty SQLite database takes beside writing rows: next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Table

# The table is there once a table with AUTOINCREMENT is.
HIGHEST_SQL = "SELECT name, seq FROM sqlite_sequence"


def exclude_writers(connection: Connection, table: Table, *, wait_seconds: float) -> None:
    """Whoever writes is alone from BEGIN IMMEDIATE on."""
    del connection, table, wait_seconds


def reserve_ids(connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
    """The highest id that each table had, where it takes none twice; 0 elsewhere."""
    drawn = {name: int(seq) for name, seq in connection.exec_driver_sql(HIGHEST_SQL)}
    return {table.name: drawn.get(table.name, 0) for table in tables}


def continue_ids(connection: Connection, highest: Mapping[Table, int]) -> None:
    """The next id is above the highest there is."""
    del connection, highest


def learn_statistics(connection: Connection, tables: Sequence[Table]) -> None:
    """Nothing to do: plans rest on the indexes that there are."""
    del connection, tables
