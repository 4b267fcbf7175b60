"""Deleting beside writers on SQLite, where one writes at a time, and giving space back.

A writer that waits asks again after 1, 3, 8, 18 and 33 ms: what lasts some 10 ms and then pauses
as long lets it in at 18. What a batch takes is mostly the pages that it changes: rows whose
followers lie on the same ones go together. Each transaction is whole on the disk or not there; its
sync is left to the next checkpoint, so a loss of power may bring back rows of the last moments.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.backends.base_cleanup import Rhythm, Space, SpaceMethod
from qadb.backends.sqlite.copying import driver_of
from qadb.backends.sqlite.emptying import Log, emptying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Engine, Select

    from qadb.backends.values import Actor

POLITE = Rhythm(
    first_rows=500,
    least_rows=500,
    most_rows=50_000,
    batch_seconds=0.010,
    rest=1.0,
    gathers=True,
)
FAST = Rhythm(
    first_rows=200_000,
    least_rows=50_000,
    most_rows=2_000_000,
    batch_seconds=5.0,
    rest=0.0,
    gathers=True,
)

NORMAL = 1
CACHE_KIBIBYTES = 32_768
LOG = "qadb_log"  # the connection's `Log`
SETTINGS = {"synchronous": NORMAL, "cache_size": -CACHE_KIBIBYTES, "wal_autocheckpoint": 0}

WORTHWHILE = 0.1  # of the file: less is filled again by what comes next
INCREMENTAL = 2
FIRST_PAGES = 64
MOST_PAGES = 16_384

MS_PER_SECOND = 1000

BEGIN_SQL = """
REPLACE INTO audit_context (id, user_id, ip_address, user_agent, session_id, is_cleanup)
VALUES (1, ?, ?, ?, ?, ?)
"""


def rhythm(*, is_fast: bool) -> Rhythm:
    """Polite to writers, or one long transaction after the other."""
    return FAST if is_fast else POLITE


@contextlib.contextmanager
def connect(engine: Engine) -> Iterator[Connection]:
    """A connection whose commits wait for no disk, with a cache for what a batch touches."""
    with engine.connect() as connection, emptying(engine) as log:
        driver = driver_of(connection)
        former = {name: _ask(driver, name) for name in SETTINGS}
        _set(driver, SETTINGS)
        connection.info[LOG] = log
        try:
            yield connection
        finally:  # a database in memory has this connection alone
            del connection.info[LOG]
            with contextlib.suppress(sqlite3.Error):
                _set(driver, former)


def limit_waiting(connection: Connection, seconds: float) -> None:
    """Wait no longer for the one lock that there is."""
    driver_of(connection).execute(f"PRAGMA busy_timeout = {round(seconds * MS_PER_SECOND)}")


def takes_log_of(connection: Connection, table: str) -> bool:
    """Whoever may write to a file may."""
    del connection, table
    return True


def locking(query: Select[object]) -> None:
    """A transaction has the file."""
    del query


def begin(
    connection: Connection,
    *,
    tenant: str | None,
    actor: Actor,
    lock_timeout_seconds: float,
    takes_log: bool,
) -> None:
    """State the actor; the lock is the transaction's already, and a file knows no tenants."""
    del tenant, lock_timeout_seconds
    facts = (actor.user_id, actor.ip_address, actor.user_agent, actor.session_id, takes_log)
    connection.exec_driver_sql(BEGIN_SQL, facts)


def interrupt(connection: Connection) -> None:
    """As the driver does; what waits for the file's lock does not notice."""
    driver_of(connection).interrupt()


def rest(connection: Connection, seconds: float) -> None:
    """Have the log moved into the file meanwhile, which no writer waits for and none has to do."""
    _rest(connection, seconds)


def _rest(connection: Connection, seconds: float, *, cuts: bool = False) -> None:
    log: Log = connection.info[LOG]
    log.empty()
    time.sleep(seconds)
    log.wait()
    if cuts or log.is_long:
        time.sleep(log.restart() * POLITE.rest)


def reclaim(
    connection: Connection,
    tables: Sequence[str],
    *,
    is_fast: bool,
    time_left: Callable[[], float | None],
    notify: Callable[[str], None],
) -> Space:
    """Shorten the file where a tenth of it is empty, page by page or all at once."""
    del tables
    driver = driver_of(connection)
    before, free = _pages(driver)
    page_size = _ask(driver, "page_size")
    if free < before * WORTHWHILE:
        _checkpoint(connection)
        reason = "Less than a tenth of the file is empty: that is left for new rows."
        return Space("none", 0, free * page_size, explanation=reason if free else None)
    is_complete, explanation = True, None
    method: SpaceMethod = "none"
    is_incremental = _ask(driver, "auto_vacuum") == INCREMENTAL
    try:
        if is_fast and _has_room(driver, (before - free) * page_size):
            notify("Writing the file anew; writers wait until that is done.")
            method = "vacuum"
            driver.execute("VACUUM")
        elif is_incremental:
            method = "incremental_vacuum"
            is_complete = _shorten(connection, time_left)
        else:
            explanation = (
                "The file was made without incremental vacuum: `qadb cleanup --fast` shortens it"
                " where the disk has room for a copy."
            )
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith("SQLITE_BUSY"):
            raise
        explanation = "Somebody kept the file's lock: the next cleanup gives back what is left."
    _checkpoint(connection)
    after, free = _pages(driver)
    freed = max(0, before - after) * page_size
    return Space(method, freed, free * page_size, is_complete, explanation)


def _set(driver: sqlite3.Connection, settings: Mapping[str, int]) -> None:
    for name, value in settings.items():
        driver.execute(f"PRAGMA {name} = {value}")


def _ask(driver: sqlite3.Connection, pragma: str) -> int:
    return int(driver.execute(f"PRAGMA {pragma}").fetchone()[0])


def _pages(driver: sqlite3.Connection) -> tuple[int, int]:
    return _ask(driver, "page_count"), _ask(driver, "freelist_count")


def _has_room(driver: sqlite3.Connection, size_bytes: int) -> bool:
    """A copy is made among temporary files, and another in the log beside the file."""
    name = driver.execute("PRAGMA database_list").fetchone()[2]
    folders = {Path(name).parent if name else Path.cwd(), Path(tempfile.gettempdir())}
    return all(shutil.disk_usage(folder).free > 2 * size_bytes for folder in folders)


def _shorten(connection: Connection, time_left: Callable[[], float | None]) -> bool:
    """Move pages from the file's end into its gaps, politely; True when none is left."""
    driver = driver_of(connection)
    pages = float(FIRST_PAGES)
    while _ask(driver, "freelist_count"):
        left = time_left()
        if left is not None and left <= 0:
            return False
        started = time.perf_counter()
        driver.executescript(f"PRAGMA incremental_vacuum({int(pages)})")  # execute() moves one page
        seconds = time.perf_counter() - started
        pages = max(1.0, min(pages / seconds * POLITE.batch_seconds, 2 * pages, MOST_PAGES))
        _rest(connection, seconds * POLITE.rest, cuts=True)
    return True


def _checkpoint(connection: Connection) -> None:
    """Move the log into the file, then empty it if nobody is in the way: nobody waits for that."""
    log: Log = connection.info[LOG]
    log.wait()
    driver = driver_of(connection)
    timeout = _ask(driver, "busy_timeout")
    driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    driver.execute("PRAGMA busy_timeout = 0")
    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    driver.execute(f"PRAGMA busy_timeout = {timeout}")
