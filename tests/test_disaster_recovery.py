"""The runbook, followed step by step on both engines after the damage that it is for."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.databases import execute, fetch_rows, open_database, sqlite_file
from tests.support.program import Program
from tests.test_readme import CHECKOUT, run, shell_lines, write_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres_server import PostgresServer

PAGE = (CHECKOUT / "docs" / "disaster-recovery.md").read_text(encoding="utf-8")
STEPS = dict(re.findall(r"^### (\d)\. (.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL))
COUNT = "SELECT count(*) FROM countries"


class Scene:
    """A saved database, and a shell in which the runbook's lines are typed."""

    def __init__(self, url: str, folder: Path, elsewhere: dict[str, str]) -> None:
        self.url = url
        program = Program(folder / "work")
        program.folder.mkdir()
        (folder / "bin").mkdir()
        write_script(folder / "bin" / "qadb", [sys.executable, "-m", "qadb"])
        self._folder = program.folder
        self._environ = program.environment(
            PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            QADB_DATABASE_URL=url,
            QADB_BACKUP_DIR=str(folder / "backups"),
            **elsewhere,
        )
        self.type("qadb backup --verify --quiet")
        (self.backup,) = (folder / "backups").glob("*.qadb")
        self._environ["BACKUP"] = str(self.backup)

    def type(self, line: str) -> str:
        """Type a line; it must succeed."""
        ended = run(line, self._folder, self._environ)
        assert ended.returncode == 0, f"{line}: {ended.stderr}"
        return ended.stdout

    def follow(self, *steps: int) -> str:
        """Type every line of these steps; returns what they print."""
        lines = [line for step in steps for line in shell_lines(STEPS[str(step)])]
        assert lines
        return "".join(self.type(line) for line in lines)


@pytest.fixture
def scene(
    migrated_url: str, database_server: PostgresServer | None, tmp_path: Path
) -> Iterator[Scene]:
    if database_server is None:
        elsewhere = {name: f"sqlite:///{tmp_path / name}.sqlite3" for name in ("COPY", "NEW")}
    else:
        elsewhere = {name: f"{migrated_url}_{name.lower()}" for name in ("COPY", "NEW")}
    yield Scene(migrated_url, tmp_path, {f"{name}_URL": url for name, url in elsewhere.items()})
    if database_server is not None:
        drop_all_of(migrated_url, database_server)


def drop_all_of(url: str, server: PostgresServer) -> None:
    base, _, name = url.rpartition("/")
    with open_database(f"{base}/postgres") as database:
        found = fetch_rows(
            database, f"SELECT datname FROM pg_database WHERE datname LIKE '{name}\\__%'"
        )
    for (each,) in found:
        server.drop_database(f"{base}/{each}")


def count(url: str) -> object:
    with open_database(url) as database:
        return fetch_rows(database, COUNT)[0][0]


def test_every_step_has_a_heading_and_those_with_commands_are_followed_here() -> None:
    assert list(STEPS) == ["1", "2", "3", "4", "5", "6", "7"]
    assert [step for step in STEPS if shell_lines(STEPS[step])] == ["1", "3", "4", "5", "6", "7"]


def test_rows_are_gone(scene: Scene) -> None:
    with open_database(scene.url) as database:
        execute(database, "DELETE FROM countries", "DROP TABLE notes")

    said = scene.follow(1, 3, 4, 5)

    assert "State:         current" in said
    assert "rows become" not in said
    assert count(scene.url) == 249


def test_only_some_rows_are_missing_and_then_the_machine(scene: Scene) -> None:
    with open_database(scene.url) as database:
        execute(database, "DELETE FROM countries WHERE code > 'M'")
    left = count(scene.url)

    scene.follow(1, 6, 7)

    assert count(scene.url) == left
    assert count(scene._environ["COPY_URL"]) == count(scene._environ["NEW_URL"]) == 249


def test_the_file_is_gone(sqlite_scene: Scene) -> None:
    sqlite_file(sqlite_scene.url).unlink()

    assert "State:         absent" in sqlite_scene.follow(1, 3, 4, 5)
    assert count(sqlite_scene.url) == 249


def test_the_file_is_damaged(sqlite_scene: Scene) -> None:
    with sqlite_file(sqlite_scene.url).open("r+b") as file:
        file.write(b"\0" * 5000)

    said = sqlite_scene.follow(3, 4, 5)  # step 1 ends with an error that says so

    assert "is kept as" in said
    with closing(sqlite3.connect(sqlite_file(sqlite_scene.url))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture
def sqlite_scene(sqlite_url: str, tmp_path: Path) -> Scene:
    with open_database(sqlite_url) as database:
        from qadb.operations.init import init_database

        init_database(database)
    return Scene(sqlite_url, tmp_path, {})
