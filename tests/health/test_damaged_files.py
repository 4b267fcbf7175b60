"""SQLite files with a byte flipped where it hurts: each is reported, and never as well."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ExitCode
from tests.support.databases import sqlite_file
from tests.support.program import ProgramInside

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = 4096
HEADER_BYTES = 100


@pytest.fixture(scope="module")
def filled(sqlite_template: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with an index of several pages, overflowing rows and a freelist."""
    path = tmp_path_factory.mktemp("filled") / "filled.sqlite3"
    shutil.copyfile(sqlite_file(sqlite_template), path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            PRAGMA journal_mode = DELETE;
            CREATE TABLE long (id INTEGER PRIMARY KEY, word TEXT, content TEXT);
            CREATE INDEX long_word ON long (word);
            CREATE TABLE gone (content TEXT);
            """
        )
        rows = [(f"word {number:05}", "x" * 10_000 if number < 5 else "") for number in range(2000)]
        connection.executemany("INSERT INTO long (word, content) VALUES (?, ?)", rows)
        connection.executemany("INSERT INTO gone VALUES (?)", [("y" * 3000,)] * 50)
        connection.commit()
        connection.execute("DROP TABLE gone")
        connection.commit()
        connection.execute("PRAGMA journal_mode = WAL")
    return path


def pages_of(path: Path, name: str, kind: str) -> list[int]:
    """The pages of a b-tree that are of one kind, as ``dbstat`` counts them."""
    query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path"
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(query, (name, kind))]


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)


def start_of(page: int) -> int:
    return (page - 1) * PAGE


def first_free_page(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[32:36], "big")


PLACES: dict[str, Callable[[Path], int]] = {
    "magic": lambda _: 0,
    "page size": lambda _: 16,
    "version to write it": lambda _: 18,
    "payload fractions": lambda _: 21,
    "change counter": lambda _: 27,
    "count of free pages": lambda _: 39,
    "schema format": lambda _: 47,
    "schema format, a byte that SQLite does not read": lambda _: 44,
    "text encoding": lambda _: 59,
    "text encoding, a byte that SQLite does not read": lambda _: 58,
    "incremental vacuum": lambda _: 67,
    "reserved": lambda _: 80,
    "copy of the change counter": lambda _: 95,
    "version that wrote it": lambda _: 96,
    "schema": lambda _: HEADER_BYTES,
    "kind of a table's page": lambda path: start_of(pages_of(path, "long", "leaf")[3]),
    "cells of a table's page": lambda path: start_of(pages_of(path, "long", "leaf")[3]) + 3,
    "kind of an index's page": lambda path: start_of(pages_of(path, "long_word", "leaf")[1]),
    "next page of an overflow": lambda path: start_of(pages_of(path, "long", "overflow")[0]) + 3,
    "next page of the freelist": lambda path: start_of(first_free_page(path)) + 3,
    "leaves of the freelist": lambda path: start_of(first_free_page(path)) + 7,
}


@pytest.fixture
def qadb(filled: Path, tmp_path: Path) -> ProgramInside:
    shutil.copyfile(filled, tmp_path / "qa.sqlite3")
    return ProgramInside(tmp_path, {"QADB_DATABASE_URL": f"sqlite:///{tmp_path / 'qa.sqlite3'}"})


def test_the_file_as_it_was_made_has_no_damage(qadb: ProgramInside) -> None:
    ended = qadb("health", "--json", "--deep", "--only", "D01,D02,D03")

    assert ended.document["status"] == "ok"


@pytest.mark.parametrize("place", PLACES)
def test_a_flipped_byte_is_reported(qadb: ProgramInside, place: str) -> None:
    path = qadb.folder / "qa.sqlite3"
    flip(path, PLACES[place](path))
    before = path.read_bytes()

    ended = qadb("health", "--json")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    assert ended.document["status"] == "crit"
    (pages,) = [check for check in ended.document["checks"] if check["id"] == "QADB-D01"]
    assert pages["status"] == "crit"
    assert pages["hint"]
    assert "Traceback" not in ended.stderr
    assert path.read_bytes() == before


def test_an_index_that_is_not_as_its_table_is_found_by_the_deep_check(
    qadb: ProgramInside,
) -> None:
    path = qadb.folder / "qa.sqlite3"
    page = start_of(pages_of(path, "long_word", "leaf")[1])
    content = path.read_bytes()
    flip(path, content.index(b"word 0", page) + 9)

    ended = qadb("health", "--json", "--deep")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    (deep,) = [check for check in ended.document["checks"] if check["id"] == "QADB-D03"]
    assert deep["status"] == "crit"
    assert any("long_word" in line for line in deep["details"])


def test_a_file_cut_short_is_reported(qadb: ProgramInside) -> None:
    path = qadb.folder / "qa.sqlite3"
    path.write_bytes(path.read_bytes()[:-PAGE])

    ended = qadb("health", "--json")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    assert ended.document["status"] == "crit"


def test_a_smashed_header_is_one_finding_and_not_one_a_check(qadb: ProgramInside) -> None:
    flip(qadb.folder / "qa.sqlite3", 0)

    checks = qadb("health", "--json").document["checks"]

    assert {c["id"] for c in checks if c["status"] == "crit"} == {
        "QADB-S01",
        "QADB-D01",
        "QADB-D02",
    }
    assert {c["status"] for c in checks} == {"crit", "unknown"}


@pytest.mark.parametrize("content", [b"", b"no database, and longer than a header would be" * 9])
def test_a_file_that_is_no_database_is_reported(qadb: ProgramInside, content: bytes) -> None:
    (qadb.folder / "qa.sqlite3").write_bytes(content)

    ended = qadb("health", "--json")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    assert ended.document["status"] == "crit"
