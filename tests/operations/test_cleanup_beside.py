"""Cleanup beside others: what they protect meanwhile stays, and what they write is there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.cleaning.deleting import Deleter
from qadb.errors import LockNotAvailable
from qadb.operations.backup import create_backup
from qadb.operations.cleanup import CleanupOptions, cleanup, plan_cleanup
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


MEANWHILE = {
    "protected": "UPDATE test_runs SET is_protected = true WHERE id = 9",
    "hold": "INSERT INTO holds (scope, scope_id, reason) VALUES ('run', '9', 'court')",
    "baseline": "INSERT INTO performance_baselines (application_id, metric, value, run_id)"
    " VALUES (1, 'p50', 1, 9)",
    "open_bug": "INSERT INTO bugs (title, run_id) VALUES ('late', 9)",
    "failure_analysis": "INSERT INTO failure_analyses (run_id, test_case_id) VALUES (9, 2)",
}


@pytest.mark.parametrize("reason", MEANWHILE)
def test_what_is_protected_after_it_was_chosen_stays(
    scene: Database, other: Database, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    former = plan_cleanup(scene, OPTIONS).tables["test_runs"]
    genuine = Deleter.delete

    def protect_then_delete(
        deleter: Deleter, tenant: str, keys: Sequence[int], archived: Archived | None = None
    ) -> Taken:
        if 9 in keys and deleter.rule.policy.table == "test_runs":
            execute(other, MEANWHILE[reason])
        return genuine(deleter, tenant, keys, archived)

    monkeypatch.setattr(Deleter, "delete", protect_then_delete)

    report = cleanup(scene, OPTIONS).tables["test_runs"]

    assert report.deleted == former.deleted - 1
    assert report.kept[reason] == former.kept[reason] + 1
    assert fetch_rows(scene, "SELECT count(*) FROM test_results WHERE run_id = 9") == [(2,)]
    assert fetch_rows(scene, "SELECT count(*) FROM coverage_data WHERE run_id = 9") == [(1,)]


def test_rows_of_a_writer_who_goes_on_are_all_there(scene: Database, other: Database) -> None:
    has_ended, written = threading.Event(), []

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
    from qadb.operations import backup as backup_operation

    genuine = backup_operation.write_file
    refusals = []

    def clean_up_meanwhile(*words: object) -> object:
        with pytest.raises(LockNotAvailable) as caught:
            cleanup(other, OPTIONS, wait_lock_seconds=0)
        refusals.append(caught.value)
        return genuine(*words)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr(backup_operation, "write_file", clean_up_meanwhile)
    create_backup(scene, tmp_path / "backups")

    assert len(refusals) == 1
    assert cleanup(other, OPTIONS).deleted > 0


@pytest.mark.postgresql
def test_a_run_that_somebody_works_on_is_passed_over(
    postgresql_url: str, postgresql_server: object
) -> None:
    from qadb.operations.init import init_database

    with open_database(postgresql_url) as scene, open_database(postgresql_url) as other:
        init_database(scene)
        fill(scene)
        with other.connect() as connection:
            connection.execute(text("UPDATE test_runs SET branch = 'x' WHERE id = 9"))
            report = cleanup(scene, OPTIONS)
        again = cleanup(scene, OPTIONS)

    assert report.tables["test_runs"].kept["in_use"] == 1
    assert again.tables["test_runs"].deleted == 1
