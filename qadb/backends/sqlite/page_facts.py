"""What reading a SQLite file tells: whether its pages are whole and its keys lead somewhere.

Another process reads the file's header, which SQLite looks at in part only, and has a cold disk
read from its beginning to its end: the checks read it in no order. Opening the file here would drop
the locks of this process.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from qadb.backends.sqlite.header import faults_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

MOST_PROBLEMS: Final = 100

QUICK_CHECK: Final = f"PRAGMA quick_check({MOST_PROBLEMS})"
INTEGRITY_CHECK: Final = f"PRAGMA integrity_check({MOST_PROBLEMS})"
FOREIGN_KEY_CHECK: Final = "PRAGMA foreign_key_check"

STATEMENTS: Mapping[str, str] = {
    "damaged_pages": QUICK_CHECK,
    "damage": INTEGRITY_CHECK,
    "broken_references": FOREIGN_KEY_CHECK,
}

READER: Final = """
import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
header = b""
while header != (header := os.pread(file, 100, 0)):
    pass  # somebody may be writing it
os.write(1, header)
if hasattr(os, "posix_fadvise"):
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)
"""


def damaged_pages(connection: Connection) -> tuple[str, ...]:
    """What is wrong with the header and the pages; indexes are not compared with their tables."""
    return _problems(connection, QUICK_CHECK)


def damage(connection: Connection) -> tuple[str, ...]:
    """What is wrong with the header, the pages, or between indexes and their tables."""
    return _problems(connection, INTEGRITY_CHECK)


def broken_references(connection: Connection) -> tuple[str, ...]:
    """Rows that point at rows which are not there, by table; the first of each is named."""
    found: dict[tuple[str, str], list[object]] = {}
    for table, rowid, parent, _ in connection.exec_driver_sql(FOREIGN_KEY_CHECK):
        found.setdefault((table, parent), []).append(rowid)
    return tuple(
        f"{len(rows)} of {table} point at rows of {parent} that are not there"
        + ("" if rows[0] is None else f", the first is row {rows[0]}")
        for (table, parent), rows in found.items()
    )


def _problems(connection: Connection, statement: str) -> tuple[str, ...]:
    with _reading(connection) as reader:
        found = [str(row[0]) for row in connection.exec_driver_sql(statement)]
        header = reader.stdout.read() if reader is not None and reader.stdout is not None else b""
    lines = [line.strip() for text in found for line in text.splitlines()]
    pages = (line for line in lines if line not in {"ok", ""} and not line.startswith("***"))
    return *faults_of(header), *pages


@contextmanager
def _reading(connection: Connection) -> Iterator[subprocess.Popen[bytes] | None]:
    """Read the header, and ask the system for the rest; where that can't be, give None."""
    row = connection.exec_driver_sql("PRAGMA database_list").first()
    if row is None or not row[2]:
        yield None
        return
    command = [sys.executable, "-S", "-E", "-c", READER, row[2]]
    nowhere = subprocess.DEVNULL
    reader: subprocess.Popen[bytes] | None = None
    with suppress(OSError):
        reader = subprocess.Popen(command, stdin=nowhere, stdout=subprocess.PIPE, stderr=nowhere)  # noqa: S603 - our own words and a path, no shell
    if reader is None:
        yield None
        return
    with reader:
        try:
            yield reader
        finally:
            reader.kill()
