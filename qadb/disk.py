"""What is written to the disk, and what that says: that it is there, or that there is no room."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the errors that say so: no room, none for this user, none in one file."""

_PIECE_BYTES = 64 << 10


def write_in_pieces(file: BinaryIO, data: bytes) -> None:
    """Write all of the data, some of it at a time.

    A system keeps what is written at once in memory that hangs together, as far as it finds some,
    and where it has to look for a megabyte of it, that takes several times longer than writing.
    """
    view = memoryview(data)
    starts = range(0, len(view), _PIECE_BYTES)
    file.writelines(view[start : start + _PIECE_BYTES] for start in starts)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
