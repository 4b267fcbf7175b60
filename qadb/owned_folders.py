"""Folders for work on the way, each with a lock that dies with its owner.

What has no owner any more can be told from what is being worked in, and removed by the next run.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:  # Windows: what a killed run left stays there
    HAS_LOCKS = False
else:
    HAS_LOCKS = True

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LOCK: Final = "lock"
_YOUNG_SECONDS: Final = 60.0  # long enough for its owner to have locked it


@dataclass(frozen=True, slots=True)
class OwnedFolder:
    """A folder of ours alone.

    Attributes:
        path: where it is.
        descriptor: the lock's, open as long as the folder is ours.
    """

    path: Path
    descriptor: int

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.descriptor)


def begin_folder(parent: Path, prefix: str, suffix: str = "") -> OwnedFolder:
    """Make a folder whose name begins and ends as asked; raises OSError where it can't be made."""
    while True:
        folder = parent / f"{prefix}{secrets.token_hex(4)}{suffix}"
        folder.mkdir(mode=0o700)
        lock = folder / _LOCK
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if _lock(descriptor) and lock.exists():  # or somebody took it for abandoned just before
            return OwnedFolder(folder, descriptor)
        os.close(descriptor)


@contextlib.contextmanager
def owned_folder(parent: Path, prefix: str, suffix: str = "") -> Iterator[Path]:
    """The same for a block; it is removed at the end."""
    folder = begin_folder(parent, prefix, suffix)
    try:
        yield folder.path
    finally:
        folder.remove()


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder in the system's place for such; what killed runs of this user left there goes."""
    remove_abandoned_temporary(prefix)
    with owned_folder(Path(tempfile.gettempdir()), prefix) as folder:
        yield folder


def remove_abandoned_temporary(prefix: str) -> None:
    """Remove what killed runs left in the system's place for such."""
    remove_abandoned(Path(tempfile.gettempdir()).glob(f"{prefix}*"))


def remove_abandoned(found: Iterable[Path]) -> tuple[Path, ...]:
    """Remove those folders whose owner is gone; returns which."""
    removed = []
    for folder in sorted(found):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return tuple(removed)


def _is_abandoned(folder: Path) -> bool:
    """Tell whether a folder is one of these and nobody's any more; a link is none."""
    if not HAS_LOCKS:
        return False
    try:
        inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # no folder, or another user's
        return False
    try:
        return _has_no_owner(inside)
    finally:
        os.close(inside)


def _has_no_owner(inside: int) -> bool:
    found = os.fstat(inside)
    try:
        descriptor = os.open(_LOCK, os.O_RDWR | os.O_NOFOLLOW, dir_fd=inside)
    except FileNotFoundError:
        return time.time() - found.st_mtime > _YOUNG_SECONDS
    except OSError:
        return False
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    if not HAS_LOCKS:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
