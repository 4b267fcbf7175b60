"""What a SQLite file tells of its own health, as far as every engine can."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from qadb.backends.sqlite import file_facts, page_facts, schema_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from sqlalchemy import Connection

    from qadb.settings import DatabaseUrl

oldest_supported: tuple[int, ...] = (3, 37)
end_of_life: Mapping[int, date] = {}  # its authors support the whole of 3

statements: Mapping[str, str] = {
    "ping": "SELECT 1",
    **schema_facts.STATEMENTS,
    **page_facts.STATEMENTS,
    **file_facts.STATEMENTS,
}

POLL_SECONDS: Final = 0.05


@contextmanager
def confined(
    connection: Connection, *, seconds: float, lock_seconds: float, is_stopped: Callable[[], bool]
) -> Iterator[None]:
    """Interrupt what still runs after that time; waiting for a lock ends sooner."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("no connection of Python's sqlite3")
    (before,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute(f"PRAGMA busy_timeout = {max(1, round(min(lock_seconds, seconds) * 1000))}")
    done = threading.Event()

    def watch() -> None:
        deadline = time.monotonic() + seconds
        while not done.wait(min(POLL_SECONDS, max(0.001, deadline - time.monotonic()))):
            if time.monotonic() >= deadline or is_stopped():
                driver.interrupt()  # again and again: one between two statements is forgotten

    watcher = threading.Thread(target=watch, name="qadb-health-timeout", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        driver.execute(f"PRAGMA busy_timeout = {int(before)}")


def was_stopped(error: BaseException) -> bool:
    """Tell whether it was interrupted."""
    driver_error = getattr(error, "orig", None) or error
    return getattr(driver_error, "sqlite_errorname", None) == "SQLITE_INTERRUPT"


def missing_grant(error: BaseException, url: DatabaseUrl) -> str | None:
    """A file knows no grants."""
    del error, url
    return None


def ping(connection: Connection) -> None:
    """Ask for nothing."""
    connection.exec_driver_sql(statements["ping"])
