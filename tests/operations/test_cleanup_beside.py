"""Cleanup beside others: what they protect meanwhile stays, and what they write is there."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.cleaning.deleting import Deleter
from qadb.errors import LockNotAvailable
from qadb.operations import backup, backup_file
from qadb.operations.backup import create_backup
from qadb.operations.cleanup import CleanupOptions, cleanup, plan_cleanup
from qadb.operations.init import init_database
from tests.operations.cleanup_scene import NOW, fill
from tests.support.databases import execute, fetch_rows, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qadb.cleaning.archive import Archived
    from qadb.cleaning.deleting import Taken
    from qadb.database import Database

OPTIONS = CleanupOptions(now=NOW)


@pytest.fixture
def scene(migrated: Database) -> Database:
    """Something of every kind."""
    fill(migrated)
    return migrated


@pytest.fixture
def other(scene: Database, migrated_url: str) -> Iterator[Database]:
    """Somebody else on the same database."""
    with open_database(migrated_url) as database:
        yield database


# For each reason, a run that nothing keeps and what happens to it after it was chosen.
MEANWHILE = {
    "protected": (9, "UPDATE test_runs SET is_protected = true WHERE id = 9"),
    "hold": (10, "INSERT INTO holds (scope, scope_id, reason) VALUES ('run', '10', 'court')"),
    "baseline": (
        11,
        (
            "INSERT INTO performance_baselines (application_id, metric, value, run_id)"
            " VALUES (1, 'p50', 1, 11)"
        ),
    ),
    "open_bug": (13, "INSERT INTO bugs (title, run_id) VALUES ('late', 13)"),
    "failure_analysis": (
        14,
        "INSERT INTO failure_analyses (run_id, test_case_id) VALUES (14, 2)",
    ),
}


def test_what_is_protected_after_it_was_chosen_stays(
    scene: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = plan_cleanup(scene, OPTIONS).tables["test_runs"]
    genuine = Deleter.delete

    def protect_then_delete(
        deleter: Deleter, tenant: str, keys: Sequence[int], archived: Archived | None = None
    ) -> Taken:
        if deleter.rule.policy.table == "test_runs":
            late = [
                MEANWHILE.pop(reason) for reason, (run, _) in [*MEANWHILE.items()] if run in keys
            ]
            execute(other, *(statement for _, statement in late))
        return genuine(deleter, tenant, keys, archived)

    runs = {reason: run for reason, (run, _) in MEANWHILE.items()}
    monkeypatch.setattr(sys.modules[__name__], "MEANWHILE", dict(MEANWHILE))
    monkeypatch.setattr(Deleter, "delete", protect_then_delete)

    report = cleanup(scene, OPTIONS).tables["test_runs"]

    assert report.deleted == former.deleted - len(runs)
    for reason, run in runs.items():
        assert report.kept[reason] == former.kept[reason] + 1, reason
        for table, rows in (("test_results", 2), ("coverage_data", 1)):
            query = f"SELECT count(*) FROM {table} WHERE run_id = {run}"
            assert fetch_rows(scene, query) == [(rows,)], reason


def test_rows_of_a_writer_who_goes_on_are_all_there(scene: Database, other: Database) -> None:
    has_ended = threading.Event()
    written: list[int] = []

    def write() -> None:
        number = 1000
        while not has_ended.is_set() or not written:
            number += 1
            execute(
                other,
                "INSERT INTO test_runs (id, run_key, application_id) VALUES"
                f" ({number}, 'w{number}', 1)",
                "INSERT INTO test_results (run_id, test_case_id, status) VALUES"
                f" ({number}, 1, 'passed')",
            )
            written.append(number)
            time.sleep(0.005)

    writer = threading.Thread(target=write)
    plan = plan_cleanup(scene, OPTIONS)
    writer.start()
    try:
        report = cleanup(scene, OPTIONS)
    finally:
        has_ended.set()
        writer.join()

    query = "SELECT r.id FROM test_runs r JOIN test_results t ON t.run_id = r.id WHERE r.id > 1000"
    assert sorted(fetch_rows(scene, query)) == [(number,) for number in written]
    assert report.tables["test_runs"] == plan.tables["test_runs"]


def test_a_cleanup_steps_aside_for_a_backup(
    scene: Database, other: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = backup_file.write_file
    refusals = []

    def clean_up_meanwhile(*words: object) -> object:
        with pytest.raises(LockNotAvailable) as caught:
            cleanup(other, OPTIONS, wait_lock_seconds=0)
        refusals.append(caught.value)
        return genuine(*words)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr(backup, "write_file", clean_up_meanwhile)
    create_backup(scene, tmp_path / "backups")

    assert len(refusals) == 1
    assert cleanup(other, OPTIONS).deleted > 0


@pytest.mark.postgresql
def test_a_run_that_somebody_works_on_is_passed_over(postgresql_url: str) -> None:
    with open_database(postgresql_url) as scene, open_database(postgresql_url) as other:
        init_database(scene)
        fill(scene)
        with other.connect() as connection:
            connection.execute(text("UPDATE test_runs SET branch = 'x' WHERE id = 9"))
            report = cleanup(scene, OPTIONS)
        again = cleanup(scene, OPTIONS)

    assert report.tables["test_runs"].kept["in_use"] == 1
    assert again.tables["test_runs"].deleted == 1
