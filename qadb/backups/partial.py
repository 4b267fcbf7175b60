"""A backup while it is made: a hidden folder beside where it will stand.

It holds the file that grows and whatever an engine needs on the way, and a lock that dies with its
owner: what has no owner any more can be told from what is being made, and removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING, Final

from qadb.backups.failures import explain_refusals
from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTIAL: Final = ".partial"

_LOCK = "lock"
_FILE = "backup"
_YOUNG_SECONDS = 60.0  # long enough for its owner to have locked it


class Partial:
    """A backup that has no name yet.

    Attributes:
        target: the name it will have.
        folder: its own, removed at the end.
        path: the file in it that becomes the backup.
    """

    def __init__(self, target: Path, folder: Path) -> None:
        self.target = target
        self.folder = folder
        self.path = folder / _FILE

    def publish(self) -> None:
        """Give the file its name, in one step, once all of it is on the disk.

        Raises:
            ConfigurationError: the name is taken; what has it is left alone.
        """
        with explain_refusals(self.target):
            self.path.chmod(0o600)
            _sync(self.path)
            try:
                _rename_unless_taken(self.path, self.target)
            except FileExistsError:
                raise _name_is_taken(self.target) from None
            _sync(self.target.parent)


@contextlib.contextmanager
def begin_partial(target: Path) -> Iterator[Partial]:
    """Begin a backup that will be called ``target``; nothing is left of it unless published.

    Raises:
        ConfigurationError: the name is taken.
        QadbError: the folder can't be made or written.
    """
    with explain_refusals(target):
        if target.exists():
            raise _name_is_taken(target)
        _make_folder(target.parent)
        folder, descriptor = _begin_locked(target)
    try:
        yield Partial(target, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned(folder: Path) -> tuple[str, ...]:
    """Remove what killed backups left in a folder; returns the names they would have had."""
    removed = []
    for found in sorted(folder.glob(f".*{PARTIAL}")):
        if found.is_dir() and _is_abandoned(found):
            shutil.rmtree(found, ignore_errors=True)
            removed.append(found.name.removeprefix(".").removesuffix(PARTIAL).rpartition(".")[0])
    return tuple(removed)


def _make_folder(folder: Path) -> None:
    """Make the folder for its owner alone; one that is there keeps its mode."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)


def _begin_locked(target: Path) -> tuple[Path, int]:
    while True:
        folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
        folder.mkdir(mode=0o700)
        lock = folder / _LOCK
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        if _lock(descriptor) and lock.exists():  # or somebody took it for abandoned just before
            return folder, descriptor
        os.close(descriptor)


def _is_abandoned(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            return time.time() - folder.stat().st_mtime > _YOUNG_SECONDS
        return False
    except OSError:  # another user's
        return False
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _rename_unless_taken(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError from None
        source.rename(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name_is_taken(target: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{target} is there already, and a backup replaces nothing.",
        hint="Name a folder: each backup in it gets a name of its own.",
    )
