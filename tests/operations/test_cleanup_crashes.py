"""Killed at any moment, a cleanup leaves whole runs, and of those that are gone nothing."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pyarrow.parquet
import pytest

from qadb.operations.cleanup import CleanupOptions, cleanup, plan_cleanup
from tests.operations.cleanup_scene import (
    FOLLOWERS,
    NOW,
    expected_to_go,
    fill,
    key_of,
    keys_of,
    read_all,
)
from tests.operations.worker import KILLS, moments
from tests.support.databases import fetch_rows

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from tests.operations.cleanup_scene import Keys, Rows
    from tests.operations.worker import Worker

SECONDS = 0.3  # about what the work takes
STEPS = ("commit:3", "commit:7", "statement:40", "statement:90", "statement:140")


@pytest.fixture
def scene(migrated: Database) -> Database:
    """Something of every kind."""
    fill(migrated)
    return migrated


def require_whole_runs(before: Rows, database: Database) -> Keys:
    """Every run has all that it had, or is gone with it; returns what is gone."""
    after = keys_of(read_all(database))
    for table in FOLLOWERS:
        for row in before[table]:
            is_there = key_of(table, row) in after[table]
            assert is_there == ((row["run_id"],) in after["test_runs"]), (table, row)
    return {table: keys - after[table] for table, keys in keys_of(before).items()}


def require_told(database: Database, gone: Keys) -> None:
    """The log has what is gone, no more and no less."""
    query = "SELECT new_values FROM audit_logs WHERE record_id = 'cleanup'"
    told = [facts for (facts,) in fetch_rows(database, query)]
    text = " ".join(map(str, told))
    assert bool(told) == any(gone.values())
    assert ("test_results" in text) == bool(gone["test_results"])


def test_killed_cleanup_leaves_whole_runs_and_the_next_goes_on(
    worker: Worker, scene: Database, migrated_url: str
) -> None:
    before = read_all(scene)
    going = expected_to_go(before)
    scene.close()
    outcomes = []
    kills: list[float | str] = [*STEPS, *moments(SECONDS, KILLS)]
    for kill in kills:
        if isinstance(kill, str):
            outcomes.append(worker.run(f"cleanup@{kill}", migrated_url))
        else:
            outcomes.append(worker.run("cleanup", migrated_url, kill_after_seconds=kill))
        gone = require_whole_runs(before, scene)
        require_told(scene, gone)
        assert all(keys <= going[table] for table, keys in gone.items())
        scene.close()

    cleanup(scene, CleanupOptions(now=NOW))

    assert set(outcomes) <= {0, -signal.SIGKILL}
    assert outcomes[: len(STEPS)].count(-signal.SIGKILL) >= 2
    assert require_whole_runs(before, scene) == going


def test_killed_archiving_deletes_nothing_that_is_not_in_a_whole_file(
    worker: Worker, scene: Database, migrated_url: str, tmp_path: Path
) -> None:
    before = read_all(scene)
    going = expected_to_go(before)
    folder = tmp_path / "archive"
    scene.close()
    for step in ("commit:4", "renaming:1", "publishing:9", "statement:200", "publishing:20"):
        worker.run(f"archive@{step}", migrated_url, str(folder))
        gone = require_whole_runs(before, scene)
        assert gone["test_results"] <= archived_results(folder)
        assert gone["test_runs"] <= {(row["id"],) for row in archived(folder, "test_runs")}
        scene.close()

    cleanup(scene, CleanupOptions(now=NOW, archive=folder))

    assert require_whole_runs(before, scene) == going
    assert archived_results(folder) == going["test_results"]
    assert plan_cleanup(scene, CleanupOptions(now=NOW)).deleted == 0


def archived(folder: Path, table: str) -> list[dict[str, object]]:
    """Every row of a table's files, each of which can be read."""
    return [
        row
        for path in sorted(folder.glob(f"{table}-*.parquet"))
        for row in pyarrow.parquet.read_table(path).to_pylist()
    ]


def archived_results(folder: Path) -> set[tuple[object, ...]]:
    return {key_of("test_results", row) for row in archived(folder, "test_results")}
