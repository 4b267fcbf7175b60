"""Puts a rebuilt SQLite database in another's place.

Into a file that can be opened it goes through SQLite's backup interface, in one transaction: a
process that has the file open goes on with the new data. Renaming over such a file would leave the
old write-ahead log to be applied to the new one, which corrupts it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.backends.base_backups import already_sound
from qadb.backends.sqlite.copying import PAGES_AT_ONCE
from qadb.backends.sqlite.errors import translate, translate_os_error
from qadb.backends.sqlite.files import make_folder, resolve_file
from qadb.backends.sqlite.locks import exclusive
from qadb.disk import sync
from qadb.errors import DatabaseInUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qadb.backends.values import ConnectionOptions, LockHolder
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

BUSY_SECONDS = 30.0

_SIDECARS = ("-wal", "-shm", "-journal")
_UNREADABLE = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


@contextlib.contextmanager
def claim(
    url: DatabaseUrl,
    schema: Schema,
    options: ConnectionOptions,
    *,
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
) -> Iterator[FileClaim]:
    """Hold the operations' lock of a file that may be absent or damaged."""
    path = resolve_file(url)
    make_folder(path.parent)
    with exclusive(url, schema, options, wait_seconds=wait_seconds, on_wait=on_wait):
        yield FileClaim(url, path)


class FileClaim:
    """A SQLite file that a restore is for."""

    def __init__(self, url: DatabaseUrl, path: Path) -> None:
        self._url = url
        self._path = path

    def find_users(self) -> tuple[str, ...]:
        """Nobody who has a readable file open is in the way: they go on with the new data."""
        return () if _is_readable(self._path) else _find_processes(self._path)

    def put_in_place(
        self,
        rebuilt: DatabaseUrl,
        *,
        is_damaged: bool,
        disconnect: bool,
        drop_previous: bool,
        wait_until_sound: Callable[[], object] = already_sound,
    ) -> str | None:
        """Copy into the file, or where it can't be read, set it aside and take its name.

        Returns:
            The name of a file that was set aside, which is kept whatever ``drop_previous`` says.

        Raises:
            DatabaseInUse: somebody holds a lock for longer than 30 s, or has a damaged file open.
        """
        del disconnect, drop_previous
        source = resolve_file(rebuilt)
        try:
            if self._path.exists() and not is_damaged and _is_readable(self._path):
                _copy_into(source, self._path, wait_until_sound)
                return None
            wait_until_sound()
            return self._replace(source)
        except sqlite3.Error as error:
            raise translate(error, self._url) from error
        except OSError as error:
            raise translate_os_error(error, f"{self._path} can't be replaced") from error

    def _replace(self, source: Path) -> str | None:
        """Give the rebuilt file the name; whatever had it before lies beside it afterwards."""
        users = _find_processes(self._path)
        if users:
            raise DatabaseInUse(
                f"{self._path} can't be read, and {', '.join(users)} has it open.",
                hint="Stop what uses it, then restore again.",
            )
        _close_properly(source)
        _take_mode(source, self._path)
        aside = _set_aside(self._path)
        source.rename(self._path)
        sync(self._path.parent)
        return aside


def _is_readable(path: Path) -> bool:
    """Tell whether SQLite finds its way in the file; one that only can't be opened may be fine."""
    if not path.exists():
        return True
    try:
        with closing(_open(path, "rw")) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return not error.sqlite_errorname.startswith(_UNREADABLE)
    return True


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )


def _copy_into(source: Path, live: Path, wait_until_sound: Callable[[], object]) -> None:
    """Copy all pages in one transaction of the live file's; killed half-way it is undone.

    The source is still being checked meanwhile: the last pages, with which SQLite commits, wait.
    """
    with closing(_open(live, "rw")) as target:
        (page_size,) = target.execute("PRAGMA page_size").fetchone()
        target.execute("PRAGMA synchronous = FULL")
        watch = _Watch(live, wait_until_sound)
        pages = _count_pages(source, page_size)
        if pages is None or pages <= PAGES_AT_ONCE:
            watch.wait_for_the_check()
        if pages is None:
            _change_page_size(source, page_size)
        # SQLite's own waiting can't be interrupted by a signal, what is called between is.
        target.execute("PRAGMA busy_timeout = 0")
        with closing(_open(source, "ro")) as copy:
            copy.backup(target, pages=PAGES_AT_ONCE, progress=watch, sleep=0.05)
        # What the log took is moved into the file now, unless somebody still reads the old state.
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


class _Watch:
    """Called between the steps of a copy into a live file: what it raises undoes the copy."""

    def __init__(self, live: Path, wait_until_sound: Callable[[], object]) -> None:
        self._live = live
        self._wait_until_sound = wait_until_sound
        self._locked_since: float | None = None
        self._is_sound = False

    def __call__(self, status: int, remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            self._wait_or_give_up()
            return
        self._locked_since = None
        if remaining <= PAGES_AT_ONCE:
            self.wait_for_the_check()

    def wait_for_the_check(self) -> None:
        """Return when the source is found sound; asks once."""
        if not self._is_sound:
            self._wait_until_sound()
            self._is_sound = True

    def _wait_or_give_up(self) -> None:
        now = time.monotonic()
        if self._locked_since is None:
            self._locked_since = now
        if now > self._locked_since + BUSY_SECONDS:
            users = ", ".join(_find_processes(self._live)) or "somebody"
            raise DatabaseInUse(
                f"{self._live} is locked by {users} for longer than {BUSY_SECONDS:.0f} s.",
                hint="Stop what writes to it, then restore again; nothing was changed.",
            )


def _count_pages(source: Path, page_size: int) -> int | None:
    """Count the source's pages; None where they have another size than the live file's."""
    with closing(_open(source, "ro")) as connection:
        if connection.execute("PRAGMA page_size").fetchone() != (page_size,):
            return None
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    return int(pages)


def _change_page_size(source: Path, page_size: int) -> None:
    """Rebuild the source in pages of the live file's size: a log can't change it."""
    with closing(_open(source, "rw")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("VACUUM")


def _close_properly(source: Path) -> None:
    """Let SQLite take its sidecars away: under the new name they would be another's. Then sync."""
    with closing(_open(source, "rw")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    for end in _SIDECARS:
        source.with_name(source.name + end).unlink(missing_ok=True)
    sync(source)


def _take_mode(source: Path, path: Path) -> None:
    """Give the new file the owner and mode of the old one, or those that SQLite would have."""
    try:
        former = path.stat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        source.chmod(0o644 & ~mask)
        return
    source.chmod(former.st_mode & 0o7777)
    with contextlib.suppress(PermissionError):
        os.chown(source, former.st_uid, former.st_gid)


def _set_aside(path: Path) -> str | None:
    """Keep a file and its sidecars under a dated name; the file keeps its own name as well.

    The sidecars go before the new file comes: SQLite would apply them to it.
    """
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    is_there = path.exists()
    if is_there:
        os.link(path, aside)
    for end in _SIDECARS:
        sidecar = path.with_name(path.name + end)
        if sidecar.exists():
            sidecar.rename(aside.with_name(aside.name + end))
            is_there = True
    return str(aside) if is_there else None


def _find_processes(path: Path) -> tuple[str, ...]:
    """Who else has the file open: on Linux, and of other users as root only."""
    others = (p for p in Path("/proc").glob("[0-9]*") if int(p.name) != os.getpid())
    found = (f"{_name_of(p)} (pid {p.name})" for p in others if _has_open(p, path))
    return tuple(sorted(found))


def _has_open(process: Path, path: Path) -> bool:
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if link.readlink() == path:
                    return True
    return False


def _name_of(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return "a process"
