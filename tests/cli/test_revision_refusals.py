"""What init, migrate, rollback and status say when something is in their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.operations.foreign import fill_with_foreign_tables
from tests.support.databases import fetch_rows, open_database
from tests.support.program import Program, ProgramInside

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def process(tmp_path: Path) -> Program:
    """The program as real processes in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Program(folder)


@pytest.fixture
def qadb(tmp_path: Path) -> Program:
    """The program in an empty folder."""
    folder = tmp_path / "inside"
    folder.mkdir()
    return ProgramInside(folder)


@pytest.mark.parametrize("words", [["init"], ["migrate"], ["rollback", "--yes"]])
def test_foreign_database_is_refused_by_every_verb(
    database_url: str, qadb: Program, words: list[str]
) -> None:
    with open_database(database_url) as database:
        fill_with_foreign_tables(database)

        ended = qadb(*words, "--json", "--database-url", database_url)

        assert ended.exit_code == 1
        assert ended.document["error"]["code"] == "unmanaged"
        assert ended.stderr.startswith("Error: ")
        assert len(ended.stderr.splitlines()) == 2
        assert fetch_rows(database, "SELECT name FROM users") == [("ada",)]


@pytest.mark.parametrize("verb", ["init", "migrate", "rollback", "status"])
def test_unreachable_server_is_one_sentence_and_3(qadb: Program, verb: str) -> None:
    ended = qadb(
        verb,
        DATABASE_URL="postgresql://qa:geheim@127.0.0.1:1/qadb",
        DATABASE_CONNECT_RETRIES="1",
    )

    assert (ended.exit_code, ended.stdout) == (3, "")
    assert ended.stderr.startswith("Error: The server at 127.0.0.1:1 could not be reached")
    assert len(ended.stderr.splitlines()) == 2
    assert "geheim" not in ended.stderr


@pytest.mark.parametrize("verb", ["init", "migrate", "rollback", "status"])
def test_database_in_memory_is_wrong_usage(qadb: Program, verb: str) -> None:
    ended = qadb(verb, DATABASE_URL="sqlite://")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "in-memory" in ended.stderr


@pytest.mark.parametrize("verb", ["init", "migrate", "rollback", "status"])
def test_file_that_is_no_database_is_left_alone(qadb: Program, verb: str) -> None:
    file = qadb.folder / "notes.txt"
    file.write_text("no database\n" * 50)

    ended = qadb(verb, DATABASE_URL=f"sqlite:///{file}")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "is not a SQLite database" in ended.stderr
    assert file.read_text() == "no database\n" * 50


def test_init_where_no_folder_can_be_made_names_the_folder(process: Program) -> None:
    (process.folder / "data").touch()

    ended = process("init")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert str(process.folder / "data") in ended.stderr
