"""What a SQLite file and its surroundings tell, for `qadb.health`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

STATEMENTS: Mapping[str, str] = {"journal_mode": "PRAGMA journal_mode"}


def journal_mode(connection: Connection) -> str:
    """How changes are logged."""
    mode: str = connection.exec_driver_sql(STATEMENTS["journal_mode"]).scalar_one()
    return mode.lower()
