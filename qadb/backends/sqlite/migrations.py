"""Revisions on SQLite: everything that is pending runs in one transaction.

Foreign keys are off while tables are rebuilt (a rebuilt parent would empty its children) and are
checked as a whole before the commit; rows that a rebuilt table has lost are noticed at each step.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event

from qadb.backends.sqlite.row_guard import RowGuard
from qadb.errors import MigrationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection, Engine

transaction_per_migration = False
backs_up_first = True

_MOST_SHOWN = 5
_GUARD = "qadb_row_guard"
_ENDS_TRANSACTION = re.compile(r"\s*(?:COMMIT|END|ROLLBACK(?!.*\bTO\b))\b", re.IGNORECASE)


@contextmanager
def connect(
    engine: Engine, *, lock_timeout_seconds: float, on_blocked: Callable[[str], None]
) -> Iterator[Connection]:
    """Connect in one ``BEGIN IMMEDIATE`` transaction that ends with ``foreign_key_check``."""
    del on_blocked  # nobody can tell who holds a file's lock
    with engine.connect() as connection:
        _set_busy_timeout(connection, lock_timeout_seconds)
        _set_foreign_keys(connection, enabled=False)
        guard = connection.info[_GUARD] = RowGuard()
        try:
            with guard.watching(engine), connection.begin():
                with _one_transaction(engine):
                    yield connection
                _check_foreign_keys(connection)
        finally:
            _set_foreign_keys(connection, enabled=True)


def check_step(connection: Connection, revision: str, *, fewer_rows: AbstractSet[str]) -> None:
    """Raise MigrationFailed where a table that was rebuilt just now has fewer rows than before."""
    guard: RowGuard | None = connection.info.get(_GUARD)
    if guard is not None:
        guard.check(connection, revision, fewer_rows)


@contextmanager
def _one_transaction(engine: Engine) -> Iterator[None]:
    """Refuse what ends the transaction: what comes after it could not be taken back with it."""

    def refuse(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if _ENDS_TRANSACTION.match(statement):
            raise MigrationFailed(
                "A revision commits by itself; on SQLite all that are pending are one transaction.",
                hint="Nothing was changed. Take the statement out of the revision.",
            )

    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


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
