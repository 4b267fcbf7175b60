"""Checks of a whole SQLite file: its pages, and the keys between its rows.

Neither of SQLite's two integrity checks looks at foreign keys, and either may raise instead of
returning what it found.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from qadb.backends.sqlite.errors import translate
from qadb.backends.sqlite.sqlite_shell import MAPPED_BYTES, open_in_shell
from qadb.beside import Beside
from qadb.errors import BackupDamaged
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Pages that SQLite keeps in memory: most are read once, and so few stay in the processor's cache.
_CACHED_PAGES = 100

_GIVEN_WAY = 3  # a third of a processor instead of half of it, where both are wanted

_WORTH_A_PROCESS: Final = 64 << 20  # bytes, whose check takes some times longer than a start
_CHECK_PAGES: Final = "PRAGMA quick_check(1)"
_SOUND: Final = "ok"

# What says nothing of the content: no room for a file beside it, a disk that does not read.
_OTHER_FAILURES = ("SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_NOMEM")


def check_file(path: Path, *, what: str) -> None:
    """Check a file that nobody writes to, and that the system has just written or read.

    The check reads it in no order, one page at a time: from a disk that takes many times longer.
    Keys are checked beside the pages, whose check takes longer and so goes first.

    Args:
        path: the file.
        what: what it is, for the sentence: ``The backup's content``.

    Raises:
        BackupDamaged: pages are broken, or rows point at none.
    """
    with closing(_open(path)) as keys, Beside(keys.interrupt, "qadb-check") as beside:
        finding = beside.submit(lambda: _ask(_find_broken_key_beside, keys, path))
        if not _has_sound_pages(path):
            with closing(_open(path)) as pages:
                _require_none(_ask(_find_broken_page, pages, path), what)
        _require_none(finding.result(), what)


def _has_sound_pages(path: Path) -> bool:
    """Tell whether SQLite's shell finds them sound; what it does not say somebody else finds out.

    It looks at pages where the system has them, which takes a quarter less time. A disk that can't
    be read ends the process that does so, whence it is another one.
    """
    if path.stat().st_size < _WORTH_A_PROCESS:
        return False
    with suppress(sqlite3.OperationalError), open_in_shell(path, read_only=True) as shell:
        if shell is not None:
            shell.run(f"PRAGMA mmap_size = {MAPPED_BYTES}; PRAGMA cache_size = {_CACHED_PAGES};")
            return shell.run(f"{_CHECK_PAGES};") == [_SOUND]
    return False


def _open(path: Path) -> sqlite3.Connection:
    """Open a file, for whichever thread checks it."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)


def check_connection(connection: sqlite3.Connection, path: Path, *, what: str) -> None:
    """Check the file that a connection has open; raises as `check_file` does."""
    for find in (_find_broken_page, _find_broken_key):
        _require_none(_ask(find, connection, path), what)


def _require_none(problem: str | None, what: str) -> None:
    if problem is not None:
        raise BackupDamaged(
            f"{what} is damaged: {problem}.",
            hint="Look at the database with: sqlite3 FILE 'PRAGMA integrity_check'",
        )


def _ask(
    find: Callable[[sqlite3.Connection], str | None], connection: sqlite3.Connection, path: Path
) -> str | None:
    """Look for a problem; what SQLite raises is one, unless it says nothing of the content."""
    try:
        connection.execute(f"PRAGMA cache_size = {_CACHED_PAGES}")
        return find(connection)
    except sqlite3.Error as error:
        if error.sqlite_errorname.startswith(_OTHER_FAILURES):
            raise translate(error, DatabaseUrl("sqlite", path=path)) from error
        return str(error)


def _find_broken_page(connection: sqlite3.Connection) -> str | None:
    (found,) = connection.execute(_CHECK_PAGES).fetchone()
    return None if found == _SOUND else str(found)


def _find_broken_key_beside(connection: sqlite3.Connection) -> str | None:
    """Look at the keys in a thread of their own, which pages are waited for longer than."""
    _give_way()
    return _find_broken_key(connection)


def _give_way() -> None:
    """Let others go before this thread; only Linux knows that of a thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(
                os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _GIVEN_WAY
            )


def _find_broken_key(connection: sqlite3.Connection) -> str | None:
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is None:
        return None
    table, rowid, parent, _ = broken
    return f"row {rowid} of {table} points at a row of {parent} that is not there"
