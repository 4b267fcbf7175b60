"""Copies a rebuilt database into a file that others may have open.

It goes through SQLite's backup interface, in one transaction: a process that has the file open goes
on with the new data.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.backends.sqlite.early_sync import early_sync
from qadb.backends.sqlite.file_users import find_processes
from qadb.errors import DatabaseInUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUSY_SECONDS = 30.0
STEP_PAGES = 100

# Pages that SQLite keeps in memory while it copies: so few stay in the processor's cache.
_CACHED_PAGES = 2 * STEP_PAGES
_PAUSE_SECONDS = 0.01
_PRIMARY = 0xFF  # of a result code: what kind it is


def open_file(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file that is there, to read it (``ro``) or to write it (``rw``)."""
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )


def locked_for_too_long(path: Path) -> DatabaseInUse:
    """Return the failure for a file that somebody holds a lock of."""
    users = ", ".join(find_processes(path)) or "somebody"
    return DatabaseInUse(
        f"{path} is locked by {users} for longer than {BUSY_SECONDS:.0f} s.",
        hint="Stop what writes to it, then restore again; nothing was changed.",
    )


class CommitWatch:
    """Tells whether somebody has written to a file since the watch began."""

    def __init__(self, path: Path) -> None:
        self._connection = open_file(path, "rw")
        try:
            self._version = self._read_version()
        except BaseException:
            self._connection.close()
            raise

    def has_seen_one(self) -> bool:
        """Tell whether another connection has committed."""
        return self._read_version() != self._version

    def close(self) -> None:
        """End the watch."""
        self._connection.close()

    def _read_version(self) -> object:
        return self._connection.execute("PRAGMA data_version").fetchone()


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What a copy into a live file asks on its way; what they raise undoes the copy.

    Attributes:
        when_locked: called once, when nobody else can write any more.
        wait_until_sound: called once, before the last pages, with which SQLite commits.
    """

    when_locked: Callable[[], object]
    wait_until_sound: Callable[[], object]


def copy_into(source: Path, live: Path, witnesses: Witnesses) -> None:
    """Copy all pages in one transaction of the live file's; killed half-way it is undone.

    The source may still be checked meanwhile.

    Raises:
        DatabaseInUse: somebody holds a lock for longer than 30 s.
    """
    with closing(open_file(live, "rw")) as target:
        (page_size,) = target.execute("PRAGMA page_size").fetchone()
        (journal_mode,) = target.execute("PRAGMA journal_mode").fetchone()
        target.execute("PRAGMA synchronous = FULL")
        steps = _Steps(live, witnesses)
        if _ask(source, "page_size") != page_size:
            steps.wait_for_the_check()
            _change_page_size(source, page_size)
        pages = _ask(source, "page_count")
        if pages < 2:  # noqa: PLR2004 - one step, and one that commits
            raise AssertionError("a database of ours has more pages than one")
        steps.size = min(STEP_PAGES, pages - 1)
        # SQLite's own waiting can't be interrupted by a signal, what is called between is.
        target.execute("PRAGMA busy_timeout = 0")
        if journal_mode == "wal":
            target.execute(f"PRAGMA cache_size = {_CACHED_PAGES}")
        else:
            _keep_writers_out(target, steps)
        with closing(open_file(source, "ro")) as copy, early_sync(live, pages * page_size):
            copy.execute(f"PRAGMA cache_size = {_CACHED_PAGES}")
            copy.backup(target, pages=steps.size, progress=steps, sleep=_PAUSE_SECONDS)
            # What the log took is moved into the file now, unless somebody is in the way.
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


class _Steps:
    """Called between the steps of a copy; there is one before the last, which commits.

    Attributes:
        size: pages of a step.
    """

    def __init__(self, live: Path, witnesses: Witnesses) -> None:
        self.size = STEP_PAGES
        self._live = live
        self._witnesses = witnesses
        self._busy_since: float | None = None
        self._is_locked = False
        self._is_sound = False

    def __call__(self, status: int, remaining: int, _total: int) -> None:
        if status & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            self.wait_or_give_up()
            return
        if status not in (sqlite3.SQLITE_OK, sqlite3.SQLITE_DONE):
            return  # what failed is raised next
        self._busy_since = None
        self.tell_locked()
        if remaining <= self.size:
            self.wait_for_the_check()

    def tell_locked(self) -> None:
        """Nobody else can write any more; tells it once."""
        if not self._is_locked:
            self._is_locked = True
            self._witnesses.when_locked()

    def wait_for_the_check(self) -> None:
        """Return when the source is found sound; asks once."""
        if not self._is_sound:
            self._witnesses.wait_until_sound()
            self._is_sound = True

    def wait_or_give_up(self) -> None:
        """Somebody holds a lock; raises when that has lasted too long."""
        now = time.monotonic()
        if self._busy_since is None:
            self._busy_since = now
        if now > self._busy_since + BUSY_SECONDS:
            raise locked_for_too_long(self._live)


def _keep_writers_out(target: sqlite3.Connection, steps: _Steps) -> None:
    """Keep writers out before the copy begins, which without a log keeps readers out as well.

    The copy then waits for those who read already; who comes meanwhile waits for it.
    """
    while True:
        try:
            target.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY:
                raise
        steps.wait_or_give_up()
        time.sleep(_PAUSE_SECONDS)
    # Not before, or a try that failed would leave a lock that keeps the writer from committing.
    target.execute("PRAGMA locking_mode = EXCLUSIVE")
    target.execute("ROLLBACK")  # which the lock outlasts in this mode
    steps.tell_locked()


def _ask(source: Path, pragma: str) -> int:
    with closing(open_file(source, "ro")) as connection:
        (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(found)


def _change_page_size(source: Path, page_size: int) -> None:
    """Rebuild the source in pages of the live file's size: a log can't change it."""
    with closing(open_file(source, "rw")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("VACUUM")
