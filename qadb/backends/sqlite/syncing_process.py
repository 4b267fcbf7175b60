"""Has the system write files to the disk while another process writes to them.

It runs by itself, with the standard library alone. Its arguments are the files, of which some may
come later. It ends when its standard input does, and that does when the other process ends; a sync
that it is in just then comes to its end.
"""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

_PAUSE_SECONDS = 0.1

_sync = os.fdatasync if hasattr(os, "fdatasync") else os.fsync


def main() -> None:
    """Sync the files that the arguments name."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this is told, too, and ends it
    sync_again_and_again([Path(each) for each in sys.argv[1:]], until=0)


def sync_again_and_again(paths: Iterable[Path], *, until: int) -> None:
    """Sync files until a descriptor has something to read, be it its end."""
    while not select.select([until], [], [], _PAUSE_SECONDS)[0]:
        for path in paths:
            with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
                _sync(file.fileno())


if __name__ == "__main__":
    main()
