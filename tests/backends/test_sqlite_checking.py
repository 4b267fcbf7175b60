"""A file's keys are checked beside its pages, which a large file's are by SQLite's shell."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import checking, sqlite_shell
from qadb.errors import BackupDamaged
from tests.support.sqlite_shells import find_shells

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
CREATE TABLE runs (id INTEGER PRIMARY KEY);
CREATE TABLE results (id INTEGER PRIMARY KEY, run_id INTEGER REFERENCES runs (id));
INSERT INTO runs VALUES (1);
INSERT INTO results VALUES (1, 1);
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "qa.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority")
def test_keys_give_way_to_pages_and_nothing_else_does(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    priorities: dict[str, int] = {}

    def noting(name: str) -> None:
        find = getattr(checking, name)

        def find_and_note(connection: sqlite3.Connection) -> str | None:
            priorities[name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
            found: str | None = find(connection)
            return found

        monkeypatch.setattr(checking, name, find_and_note)

    noting("_find_broken_page")
    noting("_find_broken_key")
    former = os.getpriority(os.PRIO_PROCESS, 0)

    checking.check_file(file, what="The file")

    assert priorities["_find_broken_page"] == former
    assert priorities["_find_broken_key"] == min(former + 3, 19)
    assert os.getpriority(os.PRIO_PROCESS, 0) == former


def test_a_priority_that_can_not_be_changed_is_no_failure(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)

    checking.check_file(file, what="The file")


def test_a_key_that_points_nowhere_is_found_beside(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO results VALUES (2, 7)")
        connection.commit()

    with pytest.raises(BackupDamaged, match="row 2 of results points at a row of runs"):
        checking.check_file(file, what="The file")


@pytest.fixture
def large(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is large enough for a process of its own."""
    monkeypatch.setattr(checking, "_WORTH_A_PROCESS", file.stat().st_size)
    return file


@pytest.fixture
def own_looks(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What this process finds in pages, a look each."""
    looks: list[str | None] = []
    find = checking._find_broken_page

    def find_and_note(connection: sqlite3.Connection) -> str | None:
        looks.append(find(connection))
        return looks[-1]

    monkeypatch.setattr(checking, "_find_broken_page", find_and_note)
    return looks


def smash_a_page(file: Path) -> None:
    """Overwrite the header of the page after the schema's."""
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * 8)


def test_a_large_file_is_looked_at_by_the_shell_alone(
    large: Path, own_looks: list[str | None]
) -> None:
    checking.check_file(large, what="The file")

    assert own_looks == []


def test_the_shell_does_not_call_broken_pages_sound(
    large: Path, own_looks: list[str | None]
) -> None:
    smash_a_page(large)

    with pytest.raises(BackupDamaged, match=r"^The file is damaged: \*\*\* in database main"):
        checking.check_file(large, what="The file")

    assert len(own_looks) == 1


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_shell_that_ends_too_early_says_nothing_of_the_file(
    large: Path, own_looks: list[str | None], monkeypatch: pytest.MonkeyPatch, *, is_broken: bool
) -> None:
    run = sqlite_shell.SqliteShell.run

    def run_in_killed(shell: sqlite_shell.SqliteShell, statements: str) -> list[str]:
        for each in find_shells():
            each.kill()
        return run(shell, statements)

    monkeypatch.setattr(sqlite_shell.SqliteShell, "run", run_in_killed)
    if is_broken:
        smash_a_page(large)
        with pytest.raises(BackupDamaged):
            checking.check_file(large, what="The file")
    else:
        checking.check_file(large, what="The file")

    assert len(own_looks) == 1


def test_a_large_file_is_checked_without_a_shell(
    large: Path, own_looks: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_shell, "_find_program", lambda: None)

    checking.check_file(large, what="The file")

    assert own_looks == [None]


def test_the_shell_writes_nothing_and_leaves_nothing(large: Path) -> None:
    with closing(sqlite3.connect(large)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    content = large.read_bytes()

    checking.check_file(large, what="The file")

    assert large.read_bytes() == content
    assert find_shells() == []
