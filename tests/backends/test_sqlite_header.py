"""The bytes of a SQLite file's header, as SQLite writes them and with one turned."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite.header import SIZE, faults_of

if TYPE_CHECKING:
    from pathlib import Path

# Fields of four bytes that hold any number: the schema's cookie, the default size of the cache, the
# user's version, whose file it is. A change of these can't be seen here.
HOLD_ANYTHING = (40, 48, 60, 68)
# The size of the file, its freelist and the largest root page: SQLite itself looks at these, as it
# does at the size of a page and what is left free at the end of each.
SQLITE_LOOKS_AT = (28, 32, 36, 52)
PAGE_SIZE_AND_ROOM = {16, 17, 20}


def header_of(path: Path, *pragmas: str) -> bytes:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE words (word TEXT)")
        connection.execute("INSERT INTO words VALUES ('one')")
    return path.read_bytes()[:SIZE]


@pytest.mark.parametrize(
    "pragmas",
    [
        (),
        ("journal_mode = WAL",),
        ("auto_vacuum = FULL",),
        ("auto_vacuum = INCREMENTAL", "journal_mode = WAL"),
        ("encoding = 'UTF-16le'",),
        ("page_size = 65536",),
        ("user_version = 7", "default_cache_size = 100"),
    ],
)
def test_nothing_is_wrong_with_what_sqlite_writes(tmp_path: Path, pragmas: tuple[str, ...]) -> None:
    assert faults_of(header_of(tmp_path / "a.sqlite3", *pragmas)) == ()


def test_nothing_is_wrong_after_a_copy_into_a_live_file_and_vacuums(tmp_path: Path) -> None:
    header_of(tmp_path / "from.sqlite3", "auto_vacuum = INCREMENTAL", "journal_mode = WAL")
    path = tmp_path / "to.sqlite3"
    with (
        closing(sqlite3.connect(tmp_path / "from.sqlite3")) as source,
        closing(sqlite3.connect(path, isolation_level=None)) as live,
    ):
        live.executescript("PRAGMA journal_mode = WAL; CREATE TABLE other (word TEXT);")
        source.backup(live)
        for statement in (
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "DELETE FROM words",
            "PRAGMA incremental_vacuum",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "VACUUM",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            live.execute(statement).fetchall()
            # Another process reads: a handle closed here would drop the connection's locks.
            copy = subprocess.run(["cat", path], check=True, capture_output=True).stdout
            assert faults_of(copy[:SIZE]) == ()


def test_an_empty_file_has_no_header() -> None:
    assert faults_of(b"") == ()


def test_a_turned_byte_is_seen_wherever_sqlite_does_not_look(tmp_path: Path) -> None:
    header = header_of(tmp_path / "a.sqlite3", "auto_vacuum = INCREMENTAL", "journal_mode = WAL")
    numbers = {start + byte for start in (*HOLD_ANYTHING, *SQLITE_LOOKS_AT) for byte in range(4)}

    unseen = {
        offset
        for offset in range(SIZE)
        if not faults_of(header[:offset] + bytes([header[offset] ^ 0xFF]) + header[offset + 1 :])
    }

    assert unseen <= numbers | PAGE_SIZE_AND_ROOM
