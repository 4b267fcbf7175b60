"""Moves the write-ahead log into the file beside the one who fills it.

To do so takes a disk's time, twice. Where nobody does it, the next writer whose commit finds a
thousand pages in the log has to.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from qadb.backends.sqlite.copying import driver_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from sqlalchemy import Engine

LONG_PAGES = 2048  # of a log that no writer leaves time to begin anew: 8 MB
PATIENCE_MS = 10  # with one who writes, or reads, when it is begun anew


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
        self._worker = ThreadPoolExecutor(1, "qadb-checkpoint")
        self._last: Future[None] | None = None
        self._pages = 0
        self._long_pages = LONG_PAGES
        if driver is not None:
            # Who waits for a reader to end keeps the writers' lock meanwhile.
            driver.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")

    def empty(self) -> None:
        """Have it emptied beside the caller, unless that goes on already."""
        if self._driver is not None and (self._last is None or self._last.done()):
            self._last = self._worker.submit(self._checkpoint, self._driver, "PASSIVE")

    def wait(self) -> None:
        """Wait until nobody empties it."""
        if self._last is not None:
            self._last.result()

    @property
    def is_long(self) -> bool:
        """It should be begun anew; where somebody reads that can't be, and waits a while."""
        return self._pages >= self._long_pages

    def restart(self) -> float:
        """Have it begun anew, and the file cut; tell for how many seconds writers were shut out."""
        if self._driver is None:
            return 0.0
        self._checkpoint(self._driver, "PASSIVE")  # what it does is not done behind a lock
        started = time.perf_counter()
        self._checkpoint(self._driver, "RESTART")
        return time.perf_counter() - started

    def end(self) -> None:
        """Let it be."""
        self._worker.shutdown()

    def _checkpoint(self, driver: sqlite3.Connection, mode: str) -> None:
        with contextlib.suppress(sqlite3.Error):  # it is tried again after the next batch
            is_busy, pages, _ = driver.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            if pages < 0:  # somebody else is at it
                return
            if pages < self._pages:
                self._long_pages = LONG_PAGES
            if mode == "RESTART":
                self._long_pages = LONG_PAGES + (pages if is_busy else 0)
                pages = pages if is_busy else 0
            self._pages = pages
