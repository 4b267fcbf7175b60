"""Killed at any moment, an import has brought in all rows or none, and the next one succeeds."""

from __future__ import annotations

import logging
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.operations.worker import KILLS, moments
from tests.support.databases import execute, fetch_rows, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from tests.operations.worker import Worker

logger = logging.getLogger(__name__)

ROWS = 3000
REJECTED = 30
MAPPING = """
[tables.cases]
to = "test_cases"
columns = { key = "case_key", title = "name", seconds = "timeout_seconds" }
"""
COUNT = "SELECT count(*) FROM test_cases"
STEPS = ("statement:3", "statement:10", "commit:1", "commit:2", "renaming:1", "publishing:1")


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    with open_database(migrated_url) as database:
        yield database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's database with some rows that can't be stored, and its mapping."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    with closing(sqlite3.connect(folder / "theirs.sqlite3")) as connection:
        connection.execute("CREATE TABLE cases (key TEXT, title TEXT, seconds TEXT)")
        rows = ((f"k{n}", f"Case {n}", "x" if n < REJECTED else "1.5") for n in range(ROWS))
        connection.executemany("INSERT INTO cases VALUES (?, ?, ?)", rows)
        connection.commit()
    return folder


def test_killed_import_brings_in_all_or_nothing(
    worker: Worker, database: Database, migrated_url: str, folder: Path
) -> None:
    words = (migrated_url, str(folder))
    seconds = worker.time("import", *words)
    outcomes, found = list[int](), set[int]()
    kills: list[float | str] = [*moments(seconds, KILLS), *STEPS]
    for kill in kills:
        empty(database, folder)
        if isinstance(kill, str):
            outcomes.append(worker.run(f"import@{kill}", *words))
        else:
            outcomes.append(worker.run("import", *words, kill_after_seconds=kill))
        rows = count_rows(database)
        assert rows in (0, ROWS - REJECTED)
        assert rows or not (folder / "rejected.jsonl").exists()
        found.add(rows)
        database.close()
    hits = outcomes.count(-signal.SIGKILL)
    logger.info("%d of %d kills hit", hits, len(outcomes))
    assert set(outcomes) <= {0, -signal.SIGKILL}
    assert hits >= 2
    assert 0 in found

    empty(database, folder)
    assert worker.run("import", *words) == 0
    assert count_rows(database) == ROWS - REJECTED
    assert len((folder / "rejected.jsonl").read_text().splitlines()) == REJECTED
    assert sorted(path.name for path in folder.iterdir()) == [
        "mapping.toml",
        "rejected.jsonl",
        "theirs.sqlite3",
    ]


def count_rows(database: Database) -> int:
    ((rows,),) = fetch_rows(database, COUNT)
    return int(str(rows))


def empty(database: Database, folder: Path) -> None:
    """Take back what an import has brought in."""
    execute(database, "DELETE FROM test_cases")
    database.close()
    (folder / "rejected.jsonl").unlink(missing_ok=True)
