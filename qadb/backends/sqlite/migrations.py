"""Revisions on SQLite: everything that is pending runs in one transaction.

Foreign keys are off while tables are rebuilt (a rebuilt parent would empty its children) and are
checked as a whole before the commit.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.errors import MigrationFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

transaction_per_migration = False

_MOST_SHOWN = 5


@contextmanager
def connect(engine: Engine, *, lock_timeout_seconds: float) -> Iterator[Connection]:
    """Connect in one ``BEGIN IMMEDIATE`` transaction that ends with ``foreign_key_check``."""
    with engine.connect() as connection:
        _set_busy_timeout(connection, lock_timeout_seconds)
        _set_foreign_keys(connection, enabled=False)
        try:
            with connection.begin():
                yield connection
                _check_foreign_keys(connection)
        finally:
            _set_foreign_keys(connection, enabled=True)


def _set_busy_timeout(connection: Connection, seconds: float) -> None:
    """Wait this long for another writer, and then let the caller say so and try again."""
    driver = connection.connection.driver_connection
    if driver is not None:
        driver.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def _set_foreign_keys(connection: Connection, *, enabled: bool) -> None:
    """Switch on the driver's connection: SQLite ignores the pragma inside a transaction."""
    driver = connection.connection.driver_connection
    if driver is not None:
        driver.execute(f"PRAGMA foreign_keys = {'ON' if enabled else 'OFF'}")


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(_MOST_SHOWN)
    if broken:
        shown = ", ".join(
            f"{table} row {row_id} -> {parent}" for table, row_id, parent, _ in broken
        )
        raise MigrationFailed(
            f"The revision would leave rows that refer to nothing: {shown}.",
            hint="Nothing was changed. Mend the revision, or the rows, and run it again.",
        )
