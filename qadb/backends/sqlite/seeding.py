"""What filling an empty SQLite database takes beside writing rows: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table


def exclude_writers(connection: Connection, table: Table, *, wait_seconds: float) -> None:
    """Whoever writes is alone from BEGIN IMMEDIATE on."""
    del connection, table, wait_seconds


def continue_ids(connection: Connection, tables: Sequence[Table]) -> None:
    """The next id is above the highest there is."""
    del connection, tables
