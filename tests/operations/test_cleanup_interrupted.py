"""cleanup beside somebody who keeps a lock, and interrupted: it ends in time and in order."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from qadb.backends.values import ConnectionOptions
from qadb.cleaning import deleting
from qadb.database import Database
from qadb.errors import LockNotAvailable
from qadb.models import TestResult
from qadb.operations.cleanup import CleanupOptions, cleanup
from qadb.operations.init import init_database
from tests.support.aged import NOW, add_every_kind, add_runs
from tests.support.databases import execute, fetch_rows, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator


OPTIONS = CleanupOptions(now=NOW)
RUNS = "SELECT count(*) FROM test_runs"
RESULTS = "SELECT count(*) FROM test_results"
OLD_MESSAGES = "SELECT count(*) FROM message_history"
LOCK = "LOCK TABLE test_results IN SHARE MODE"
WAITING = """
SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'test_results'::regclass
"""
DEADLINE_SECONDS = 30


@pytest.fixture
def served(postgresql_url: str) -> Iterator[Database]:
    with open_database(postgresql_url) as database:
        init_database(database)
        yield database


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleting, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("no_pauses")
def test_table_that_somebody_keeps_ends_it_after_the_time_named(
    served: Database, postgresql_url: str
) -> None:
    add_every_kind(served)
    with open_database(postgresql_url) as other, other.connect() as connection:
        connection.exec_driver_sql(LOCK)
        with pytest.raises(LockNotAvailable):
            cleanup(served, OPTIONS, lock_timeout_seconds=0.05)

    assert fetch_rows(served, RUNS) == [(3,)]
    assert fetch_rows(served, RESULTS) == [(9,)]
    assert fetch_rows(served, OLD_MESSAGES) == [(1,)]  # they come before runs, and are whole
    assert cleanup(served, OPTIONS).tables["test_runs"].deleted == 2


@pytest.mark.usefixtures("no_pauses")
def test_file_that_somebody_keeps_ends_it_after_the_time_named(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    with open_database(sqlite_url) as database, open_database(sqlite_url) as other:
        init_database(database)
        add_runs(database, 200)
        cleaner = database.backend.cleaner
        genuine = cleaner.limit_waiting

        def limit(connection: object, seconds: float) -> None:
            genuine(connection, seconds)  # type: ignore[arg-type]  # handed on
            driver = connection.connection.driver_connection  # type: ignore[attr-defined]  # a Connection
            waited.extend(driver.execute("PRAGMA busy_timeout").fetchone())

        monkeypatch.setattr(cleaner, "limit_waiting", limit)
        with other.connect() as connection:
            connection.exec_driver_sql("UPDATE test_runs SET branch = 'x'")
            with pytest.raises(LockNotAvailable):
                cleanup(database, OPTIONS, lock_timeout_seconds=0.05)

        assert waited == [50]
        assert fetch_rows(database, RUNS) == [(1,)]
        assert cleanup(database, OPTIONS).tables["test_runs"].deleted == 1


def test_history_that_somebody_keeps_from_being_written_fails_no_cleanup(sqlite_url: str) -> None:
    with open_database(sqlite_url) as database:
        init_database(database)
    said: list[str] = []
    options = ConnectionOptions(lock_wait_seconds=0.1)
    with (
        open_database(sqlite_url) as other,
        Database(other.url, options=options) as database,
        other.connect(),
    ):
        report = cleanup(database, OPTIONS, notify=said.append)

    assert report.complete
    assert len(said) == 1
    assert "The cleanup is done; the database's history was not written." in said[0]


@pytest.mark.usefixtures("no_pauses")
def test_lock_that_is_given_back_in_time_is_waited_for(
    served: Database, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_runs(served, 200)
    with open_database(postgresql_url) as other, other.connect() as connection:
        connection.exec_driver_sql(LOCK)
        monkeypatch.setattr(time, "sleep", lambda _: connection.rollback())
        report = cleanup(served, OPTIONS, lock_timeout_seconds=0.05)

    assert report.tables["test_runs"].deleted == 1
    assert report.complete


def wait_until(database: Database, query: str, answer: object) -> None:
    """Ask until the answer is this one."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while fetch_rows(database, query) != [(answer,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_until_waiting(database: Database) -> None:
    """Ask until somebody waits for the results' table."""
    wait_until(database, WAITING, True)


def test_interrupted_and_finished_leaves_what_one_cleanup_does(migrated: Database) -> None:
    """Stopped after every few transactions: what goes adds up to the plan."""
    add_every_kind(migrated)
    add_every_kind(migrated, "other")
    gone: Counter[str] = Counter()
    endings = []
    with pytest.MonkeyPatch.context() as patch:
        for transactions in (3, 11, 17, 40, 99):
            left = iter([1.0] * transactions)
            patch.setattr(
                "qadb.operations.cleanup_run.Run.time_left", lambda _, left=left: next(left, 0.0)
            )
            report = cleanup(migrated, OPTIONS)
            gone.update({name: table.deleted for name, table in report.tables.items()})
            endings.append(report.complete)

    assert (endings[0], endings[-1]) == (False, True)
    assert gone["test_runs"] == 4
    assert gone["test_results"] == 12
    assert gone["users"] == 4
    assert (gone["message_history"], gone["audit_logs"]) == (2, 2)
    assert cleanup(migrated, OPTIONS).deleted == 0


def test_deleted_by_somebody_else_meanwhile_is_no_failure(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = add_runs(migrated, 200, 201)
    genuine = deleting.Deleter.delete

    def delete_first(deleter: deleting.Deleter, *words: object) -> object:
        with migrated.connect() as connection:
            connection.execute(delete(TestResult).where(TestResult.run_id == runs[0]))
            connection.exec_driver_sql(f"DELETE FROM test_runs WHERE id = {runs[0]}")
        return genuine(deleter, *words)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(deleting.Deleter, "delete", delete_first)

    report = cleanup(migrated, OPTIONS)

    assert report.tables["test_runs"].deleted == 1
    assert report.tables["test_runs"].kept == {}
    assert report.tables["test_results"].deleted == 3
    execute(migrated, "SELECT 1")
