"""Moves the write-ahead log into the file beside the one who fills it.

To do so takes a disk's time, twice. Where nobody does it, the next writer whose commit finds a
thousand pages in the log has to.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

from qadb.backends.sqlite.copying import driver_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

LONG_PAGES = 16_384  # of a log that no writer leaves time to begin anew: 64 MB


@contextlib.contextmanager
def emptying(engine: Engine) -> Iterator[Log]:
    """Start what empties a database's log, on a connection of its own, as long as the block lasts.

    A database in memory has one connection and no log.
    """
    with engine.connect() as connection:
        driver = driver_of(connection)
        file = driver.execute("PRAGMA database_list").fetchone()[2]
        log = Log(driver if file else None)
        try:
            yield log
        finally:
            log.end()


class Log:
    """A write-ahead log.

    Args:
        driver: empties it; None where there is none.
    """

    def __init__(self, driver: sqlite3.Connection | None) -> None:
        self._driver = driver
        self._is_wanted, self._is_idle = threading.Event(), threading.Event()
        self._is_idle.set()
        self._has_ended = False
        self._pages = 0
        self._thread = threading.Thread(target=self._work, name="qadb-checkpoint", daemon=True)
        if driver is not None:
            self._thread.start()

    def empty(self) -> None:
        """Have it emptied soon."""
        if self._driver is not None:
            self._is_idle.clear()
            self._is_wanted.set()

    def wait(self) -> None:
        """Wait until nobody empties it."""
        self._is_idle.wait()

    def wait_where_long(self) -> None:
        """Wait until it is empty, and shut writers out for that moment, where it has grown long."""
        if self._driver is None or self._pages < LONG_PAGES:
            return
        self.wait()
        with contextlib.suppress(sqlite3.Error):  # somebody reads: next time, then
            self._driver.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        self._pages = 0

    def end(self) -> None:
        """Let it be."""
        self._has_ended = True
        self._is_wanted.set()
        if self._driver is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            self._is_wanted.wait()
            self._is_wanted.clear()
            if self._has_ended or self._driver is None:
                return
            with contextlib.suppress(sqlite3.Error):  # it is tried again after the next batch
                found = self._driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._pages = found[1]
            if not self._is_wanted.is_set():
                self._is_idle.set()
