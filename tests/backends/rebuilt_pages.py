"""A live file and a rebuilt one that has some other pages."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from qadb.backends.sqlite.differing_pages import write_differing
from qadb.backends.sqlite.live_file import Witnesses

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 400  # a page each
READ = "SELECT id, name, length(filling) FROM named ORDER BY id"


def make(
    path: Path, *, mode: str = "wal", page_size: int = 4096, auto_vacuum: str = "NONE"
) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute(f"PRAGMA auto_vacuum = {auto_vacuum}")
        connection.execute("CREATE TABLE named (id INTEGER PRIMARY KEY, name TEXT, filling BLOB)")
        connection.execute("CREATE INDEX ix_named_name ON named (name)")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO named VALUES (?, 'common', zeroblob(?))",
            [(row, page_size // 2 + 200) for row in range(ROWS)],
        )
        connection.execute("COMMIT")
        connection.execute("VACUUM")  # so that the next one moves few pages
        connection.execute(f"PRAGMA journal_mode = {mode}")
    return path


def change(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def copy(path: Path, new: Path) -> Path:
    new.write_bytes(path.read_bytes())
    return new


def read(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(READ).fetchall()


def require_same(live: Path, source: Path) -> None:
    """Require what SQLite finds in both files, and every page but the first, to be the same."""
    with closing(sqlite3.connect(live)) as ours, closing(sqlite3.connect(source)) as theirs:
        assert ours.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert list(ours.iterdump()) == list(theirs.iterdump())
        (size,) = theirs.execute("PRAGMA page_size").fetchone()
        for pragma in ("page_count", "freelist_count", "user_version", "application_id"):
            ask = f"PRAGMA {pragma}"
            assert ours.execute(ask).fetchone() == theirs.execute(ask).fetchone()
        (pages,) = ours.execute("PRAGMA page_count").fetchone()
    assert live.read_bytes()[size:] == source.read_bytes()[size:]
    assert int.from_bytes(live.read_bytes()[28:32], "big") == pages


def write_at_once(source: Path, live: Path) -> list[str]:
    told: list[str] = []
    witnesses = Witnesses(lambda: told.append("locked"), lambda: told.append("sound"))
    if not write_differing(source, live, witnesses):
        assert told == []
        return ["not written"]
    return told


CHANGES = {
    "nothing": [],
    "a row": ["UPDATE named SET name = 'rare' WHERE id = 200"],
    "longer": [
        "INSERT INTO named SELECT id + 1000, 'more', filling FROM named WHERE id < 60",
        "PRAGMA user_version = 7",
    ],
    "shorter": ["DELETE FROM named WHERE id >= 330", "VACUUM"],
    "free pages": ["DELETE FROM named WHERE id >= 330"],
    "schema": [
        "CREATE TABLE added (a)",
        "INSERT INTO added VALUES (1)",
        "DROP INDEX ix_named_name",
    ],
}
