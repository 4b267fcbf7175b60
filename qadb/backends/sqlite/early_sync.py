"""Has a file and its log written to the disk while SQLite still fills them.

SQLite waits for the disk when all is written, and no processor works meanwhile. What it wrote
before is on the disk by then. What SQLite relies on is its own sync, which comes as ever and is
told of failures of the disk whoever else was told.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from qadb.backends.sqlite import syncing_process
from qadb.backends.sqlite.own_process import start_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WORTH_BYTES: Final = 128 << 20  # with less, starting a process takes what it saves


@contextmanager
def early_sync(path: Path, size_bytes: int) -> Iterator[None]:
    """Sync a database's file and its log during the block, where so many bytes are worth it."""
    with ExitStack() as stack:
        if size_bytes >= _WORTH_BYTES and os.name == "posix":
            script, log = syncing_process.__file__, path.with_name(f"{path.name}-wal")
            start_script(script, str(log), str(path), stack=stack)
        yield
