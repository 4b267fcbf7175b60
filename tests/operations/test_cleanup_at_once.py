"""Cleanup in several sessions: they take turns, fail together, and one of them will do."""

from __future__ import annotations

import signal
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from qadb.cleaning.deleting import Deleter
from qadb.errors import DatabaseUnreachable, ExitCode, LockNotAvailable
from qadb.operations.cleanup import CleanupOptions, cleanup, plan_cleanup
from qadb.operations.init import init_database
from tests.operations.test_cleanup_interrupted import wait_until, wait_until_waiting
from tests.support.aged import NOW, add_every_kind, add_runs
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qadb.cleaning.archive import Archived
    from qadb.cleaning.deleting import Taken
    from qadb.database import Database
    from tests.support.program import Program

pytestmark = pytest.mark.postgresql

OPTIONS = CleanupOptions(now=NOW)
RUNS = "SELECT count(*) FROM test_runs"
RESULTS = "SELECT count(*) FROM test_results"
LOCK = "LOCK TABLE test_results IN SHARE MODE"
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE NOT granted AND relation = 'test_results'::regclass
"""
GONE = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ANY (ARRAY{}::int[])"
DEAD = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'test_results'"
ENDINGS = {
    signal.SIGINT: (ExitCode.INTERRUPTED, "Interrupted.\n"),
    signal.SIGTERM: (ExitCode.TERMINATED, "Terminated.\n"),
}
LONG_SECONDS = 300.0
DEADLINE_SECONDS = 30

genuine = Deleter.delete


@pytest.fixture
def served(postgresql_url: str) -> Iterator[Database]:
    with open_database(postgresql_url) as database:
        init_database(database)
        yield database


@pytest.fixture(autouse=True)
def one_run_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qadb.cleaning.pace.Pace.next_rows", 1)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """The sessions that each table's rows are deleted in, by the server's numbers."""
    found: dict[str, set[int]] = defaultdict(set)

    def note_then_delete(
        deleter: Deleter, tenant: str, keys: Sequence[int], archived: Archived | None = None
    ) -> Taken:
        driver = deleter._connection.connection.driver_connection
        assert driver is not None
        found[deleter.rule.policy.table].add(driver.info.backend_pid)
        return genuine(deleter, tenant, keys, archived)

    monkeypatch.setattr(Deleter, "delete", note_then_delete)
    return found


def once_another_waits(
    monkeypatch: pytest.MonkeyPatch, database: Database, run: int, act: Callable[[], None]
) -> None:
    """Act before the run's own transaction, when another one waits for the results' table."""

    def act_then_delete(
        deleter: Deleter, tenant: str, keys: Sequence[int], archived: Archived | None = None
    ) -> Taken:
        if list(keys) == [run]:
            wait_until_waiting(database)
            act()
        return genuine(deleter, tenant, keys, archived)

    monkeypatch.setattr(Deleter, "delete", act_then_delete)


def test_runs_go_in_two_sessions_and_what_depends_on_each_other_in_one(
    served: Database, monkeypatch: pytest.MonkeyPatch, sessions: dict[str, set[int]]
) -> None:
    add_every_kind(served)
    add_runs(served, *range(200, 220))
    plan = plan_cleanup(served, OPTIONS)
    both = threading.Barrier(2)
    noting = Deleter.delete
    met: list[int] = []

    def meet_then_delete(
        deleter: Deleter, tenant: str, keys: Sequence[int], archived: Archived | None = None
    ) -> Taken:
        if deleter.rule.policy.table == "test_runs" and len(met) < 2:
            met.append(both.wait(DEADLINE_SECONDS))
        return noting(deleter, tenant, keys, archived)

    monkeypatch.setattr(Deleter, "delete", meet_then_delete)

    report = cleanup(served, OPTIONS)

    assert report.tables == plan.tables
    assert sorted(met) == [0, 1]
    assert len(sessions["test_runs"]) == 2
    assert len(sessions["users"]) == 1


def test_where_no_second_connection_is_to_be_had_one_does_it_all(
    postgresql_url: str, sessions: dict[str, set[int]]
) -> None:
    """The operations' lock, what reads and what deletes take three."""
    with open_database(postgresql_url) as served, ordinary_role(postgresql_url) as role:
        execute(served, f'ALTER DATABASE "{served.url.database}" OWNER TO {role.name}')
        execute(served, f"GRANT ALL ON SCHEMA public TO {role.name}")
        with open_database(role.url(postgresql_url)) as mine:
            init_database(mine)
            add_runs(mine, *range(200, 205))
        execute(served, f"ALTER ROLE {role.name} CONNECTION LIMIT 3")
        with open_database(role.url(postgresql_url)) as mine:
            report = cleanup(mine, OPTIONS)
        execute(served, f"ALTER ROLE {role.name} CONNECTION LIMIT -1")

        assert report.complete
        assert report.tables["test_runs"].deleted == 5
        assert len(sessions["test_runs"]) == 1
        execute(served, f'ALTER DATABASE "{served.url.database}" OWNER TO CURRENT_USER')


def test_vacuum_has_the_last_word_on_dead_rows(
    served: Database, monkeypatch: pytest.MonkeyPatch, sessions: dict[str, set[int]]
) -> None:
    """A session that still has to tell how many it left would call for another one."""
    cleaner = served.backend.cleaner
    reclaim = cleaner.reclaim

    def reclaim_when_alone(*words: object, **named: object) -> object:
        (first,) = sessions["users"]
        wait_until(served, GONE.format(sorted(sessions["test_runs"] - {first})), True)
        return reclaim(*words, **named)  # type: ignore[arg-type]  # handed on

    add_every_kind(served)
    add_runs(served, *range(200, 230))
    monkeypatch.setattr(cleaner, "reclaim", reclaim_when_alone)

    cleanup(served, OPTIONS)

    assert len(sessions["test_runs"]) == 2
    wait_until(served, DEAD, 0)


def refuse() -> None:
    raise LockNotAvailable("Somebody keeps that run.")


@pytest.mark.parametrize("failure", ["refused", "cut"])
def test_failure_of_one_ends_what_the_other_waits_for(
    served: Database, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    _, second, *_ = add_runs(served, *range(200, 206))
    with open_database(postgresql_url) as other, other.connect() as connection:
        act = {"refused": refuse, "cut": lambda: execute(served, CUT)}[failure]
        once_another_waits(monkeypatch, served, second, act)
        connection.exec_driver_sql(LOCK)
        with pytest.raises((LockNotAvailable, DatabaseUnreachable)) as caught:
            cleanup(served, OPTIONS, lock_timeout_seconds=LONG_SECONDS)

    told = {"refused": "Somebody keeps that run.", "cut": "The connection to "}
    assert caught.value.message.startswith(told[failure])
    assert fetch_rows(served, RUNS) == [(6,)]
    assert fetch_rows(served, RESULTS) == [(18,)]
    monkeypatch.setattr(Deleter, "delete", genuine)
    assert cleanup(served, OPTIONS).tables["test_runs"].deleted == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_it_waits_for_no_lock(
    served: Database, postgresql_url: str, qadb: Program, number: signal.Signals
) -> None:
    add_every_kind(served)
    words = ("cleanup", "--yes", "--lock-timeout", "5m", "--database-url", postgresql_url)
    with open_database(postgresql_url) as other, other.connect() as connection:
        connection.exec_driver_sql(LOCK)
        process = qadb.start(*words)
        wait_until_waiting(served)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=DEADLINE_SECONDS)

    assert process.returncode == ENDINGS[number][0]
    assert stderr.endswith(ENDINGS[number][1])
    assert "Traceback" not in stderr
    assert fetch_rows(served, RUNS) == [(3,)]
    assert fetch_rows(served, RESULTS) == [(9,)]
    assert cleanup(served, OPTIONS).tables["test_runs"].deleted == 2
