"""Writes the header of a SQLite file to standard output, and asks the system to read the rest.

It runs by itself, with the standard library alone. Its arguments are the file, and how many bytes
the header has.
"""

import os
import sys


def main() -> None:
    """Write the header as it is at one moment."""
    path, size = sys.argv[1:]
    file = os.open(path, os.O_RDONLY)
    header = b""
    while header != (header := os.pread(file, int(size), 0)):
        pass  # somebody may be writing it
    os.write(1, header)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)


if __name__ == "__main__":
    main()
