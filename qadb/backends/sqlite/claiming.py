"""Puts a rebuilt SQLite database in another's place.

Into a file that can be opened it goes through SQLite's backup interface, in one transaction: a
process that has the file open goes on with the new data. Renaming over such a file would leave the
old write-ahead log to be applied to the new one, which corrupts it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from qadb.backends.base_backups import already_sound, nothing_to_save
from qadb.backends.sqlite.differing_pages import write_differing
from qadb.backends.sqlite.errors import translate, translate_os_error
from qadb.backends.sqlite.file_users import find_processes
from qadb.backends.sqlite.files import make_folder, resolve_file
from qadb.backends.sqlite.live_file import CommitWatch, Witnesses, copy_into, open_file
from qadb.backends.sqlite.locks import exclusive
from qadb.disk import sync
from qadb.errors import DatabaseInUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qadb.backends.values import ConnectionOptions, LockHolder
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

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
    with (
        exclusive(url, schema, options, wait_seconds=wait_seconds, on_wait=on_wait),
        closing(FileClaim(url, path)) as claimed,
    ):
        yield claimed


class FileClaim:
    """A SQLite file that a restore is for."""

    def __init__(self, url: DatabaseUrl, path: Path) -> None:
        self._url = url
        self._path = path
        self._watch: CommitWatch | None = None
        self._is_new = False

    def close(self) -> None:
        """Let go of the file."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def find_users(self) -> tuple[str, ...]:
        """Nobody who has a readable file open is in the way: they go on with the new data."""
        return () if _is_readable(self._path) else find_processes(self._path)

    def watch_commits(self) -> None:
        """Note what others commit from now on; where no file is, whether one comes."""
        self._is_new = not self._path.exists()
        if self._is_new or not _is_readable(self._path):
            return
        try:
            self._watch = CommitWatch(self._path)
        except sqlite3.Error as error:
            raise translate(error, self._url) from error

    def put_in_place(
        self,
        rebuilt: DatabaseUrl,
        *,
        is_damaged: bool,
        disconnect: bool,
        drop_previous: bool,
        wait_until_sound: Callable[[], object] = already_sound,
        save_late: Callable[[], object] = nothing_to_save,
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
                witnesses = Witnesses(partial(self._save_if_late, save_late), wait_until_sound)
                if not write_differing(source, self._path, witnesses):
                    copy_into(source, self._path, witnesses)
                return None
            self.close()  # closed later, SQLite would remove sidecars of the new file
            wait_until_sound()
            if self._is_new and self._path.exists():
                save_late()
            return self._replace(source)
        except sqlite3.Error as error:
            raise translate(error, self._url) from error
        except OSError as error:
            raise translate_os_error(error, f"{self._path} can't be replaced") from error

    def _save_if_late(self, save_late: Callable[[], object]) -> None:
        if self._is_new or (self._watch is not None and self._watch.has_seen_one()):
            save_late()

    def _replace(self, source: Path) -> str | None:
        """Give the rebuilt file the name; whatever had it before lies beside it afterwards."""
        users = find_processes(self._path)
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
        with closing(open_file(path, "rw")) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return not error.sqlite_errorname.startswith(_UNREADABLE)
    return True


def _close_properly(source: Path) -> None:
    """Let SQLite take its sidecars away: under the new name they would be another's. Then sync."""
    with closing(open_file(source, "rw")) as connection:
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
