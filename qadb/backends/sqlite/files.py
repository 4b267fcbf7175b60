"""The files of a SQLite database: where it really lies, and what stands beside it.

No content is ever opened by hand: closing such a handle would drop the POSIX locks of every SQLite
connection in this process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qadb.backends.sqlite.errors import translate_os_error
from qadb.errors import QadbError

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.settings import DatabaseUrl


def resolve_file(url: DatabaseUrl) -> Path:
    """The file behind symbolic links, which is also where SQLite puts its sidecars.

    Raises:
        InsufficientPrivilege: a folder on the way can't be entered.
    """
    if url.path is None:
        raise QadbError("This SQLite URL names no file.")
    try:
        return url.path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go round in a circle
        raise _unreachable(url.path, error) from error


def is_there(path: Path) -> bool:
    """Tell whether anything has this name; raises InsufficientPrivilege when nobody may know."""
    try:
        return path.exists()
    except OSError as error:
        raise _unreachable(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it; raises a QadbError that says why it can't be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise translate_os_error(error, f"The folder {path} can't be made") from error


def has_content(path: Path) -> bool:
    """Tell whether the file holds anything; like SQLite, take one of a single byte for empty."""
    return path.stat().st_size > 1


def can_be_read_alone(path: Path) -> bool:
    """Tell whether reading the file alone misses nothing, and nobody here could add to it.

    That is a file with neither log nor journal, in a folder that this user can't write.
    """
    sidecars = (path.with_name(path.name + end) for end in ("-wal", "-journal"))
    try:
        is_alone = path.is_file() and not any(each.exists() for each in sidecars)
    except OSError:
        return False
    return is_alone and not os.access(path.parent, os.W_OK)


def has_empty_log(path: Path) -> bool:
    """Tell whether a write-ahead log lies beside the file and holds nothing."""
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size == 0


def _unreachable(path: Path, error: OSError | RuntimeError) -> QadbError:
    if isinstance(error, OSError):
        return translate_os_error(error, f"{path} can't be reached")
    return QadbError(f"{path} can't be reached: its links go round in a circle.")
