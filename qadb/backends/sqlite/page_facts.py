"""What reading a SQLite file tells: whether its pages are whole and its keys lead somewhere.

A file on a cold disk is read by another process meanwhile, from its beginning to its end: the
checks read it in no order. Opening it here would drop the locks of this process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

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

READ_AHEAD: Final = "import os, sys; os.posix_fadvise(os.open(sys.argv[1], 0), 0, 0, 3)"


def damaged_pages(connection: Connection) -> tuple[str, ...]:
    """What is wrong with the pages; indexes are not compared with their tables."""
    with _read_ahead(connection):
        return _problems(connection, QUICK_CHECK)


def damage(connection: Connection) -> tuple[str, ...]:
    """What is wrong with the pages, or between indexes and their tables."""
    with _read_ahead(connection):
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
    found = [str(row[0]) for row in connection.exec_driver_sql(statement)]
    lines = [line.strip() for text in found for line in text.splitlines()]
    return tuple(line for line in lines if line not in {"ok", ""} and not line.startswith("***"))


@contextmanager
def _read_ahead(connection: Connection) -> Iterator[None]:
    """Ask the system to have the file in memory; where it can't be asked, nothing is lost."""
    row = connection.exec_driver_sql("PRAGMA database_list").first()
    if row is None or not row[2] or not hasattr(os, "posix_fadvise"):
        yield
        return
    command = [sys.executable, "-S", "-E", "-c", READ_AHEAD, row[2]]
    nowhere = subprocess.DEVNULL
    reader: subprocess.Popen[bytes] | None = None
    with suppress(OSError):
        reader = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)  # noqa: S603 - our own words and a path, no shell
    try:
        yield
    finally:
        if reader is not None:
            reader.kill()
            reader.wait()
