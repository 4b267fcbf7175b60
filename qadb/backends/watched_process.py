"""Has a process that this one has started ended when this one is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHELL: Final = "/bin/sh"
# A line comes when the block has ended; the end of the file, when nobody is left to write one.
_WATCH: Final = 'read line || kill "$1"'


@contextlib.contextmanager
def watched(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Have a process ended by another one when this one is gone without a word.

    Nothing watches on Windows.
    """
    if os.name != "posix":
        yield
        return
    with subprocess.Popen(  # noqa: S603 - a number is all that it is told
        [_SHELL, "-c", _WATCH, "qadb-watch", str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what ends all of ours, such as Ctrl-C, comes not there
    ) as watcher:
        try:
            yield
        finally:
            watcher.communicate(b"over\n")
