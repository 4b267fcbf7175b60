"""A file's keys are checked beside its pages, and give way to them."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import checking
from qadb.errors import BackupDamaged

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
