"""What reading a SQLite file tells: whether its pages are whole and its keys lead somewhere.

Another process reads the file's header, which SQLite looks at in part only, and has a cold disk
read from its beginning to its end: the checks read it in no order. Opening the file here would drop
the locks of this process.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from io import BytesIO
from typing import IO, TYPE_CHECKING, Final

from qadb.backends.sqlite import header_reading_process
from qadb.backends.sqlite.header import SIZE, faults_of
from qadb.backends.sqlite.own_process import start_script

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
    with _reading(connection) as reading:
        found = [str(row[0]) for row in connection.exec_driver_sql(statement)]
        header = reading.read(SIZE)
    lines = [line.strip() for text in found for line in text.splitlines()]
    pages = (line for line in lines if line not in {"ok", ""} and not line.startswith("***"))
    return *faults_of(header), *pages


@contextmanager
def _reading(connection: Connection) -> Iterator[IO[bytes]]:
    """Give the header to read, and ask the system for the rest; nothing where that can't be."""
    row = connection.exec_driver_sql("PRAGMA database_list").first()
    with ExitStack() as stack:
        reader = None
        if row is not None and row[2]:
            script = header_reading_process.__file__
            reader = start_script(script, row[2], str(SIZE), stack=stack)
        yield BytesIO() if reader is None or reader.stdout is None else reader.stdout
