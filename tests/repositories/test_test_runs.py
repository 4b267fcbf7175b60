"""Runs begin and end, and are listed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from qadb.errors import ConflictError, RowNotFound
from qadb.models import Application, Environment, TestCase, TestResult, TestRun
from qadb.repositories.generic.base import Repository
from qadb.repositories.test_runs import TestRunRepository
from tests.repositories.lab import NOON, Lab

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork


@pytest.fixture
def runs(acme: UnitOfWork) -> TestRunRepository:
    return TestRunRepository(acme)


@pytest.fixture
def shop(acme: UnitOfWork) -> Application:
    return Repository(acme, Application).list()[0]


# Start


def test_a_run_starts_now_and_runs(runs: TestRunRepository, shop: Application) -> None:
    before = datetime.now(UTC)
    run = runs.start(shop)
    assert before <= run.started_at <= datetime.now(UTC)
    assert (run.status, run.result, run.ended_at, run.total) == ("running", None, None, 0)
    assert (run.tenant_id, run.application, run.environment) == ("acme", shop, None)
    assert run.run_key != runs.start(shop).run_key


def test_a_run_starts_as_told(runs: TestRunRepository, shop: Application) -> None:
    place = Repository(runs.session, Environment).create(name="staging")
    run = runs.start(
        shop.id, run_key="k", environment=place.id, started_at=NOON, branch="main", status="pending"
    )
    assert (run.run_key, run.started_at, run.branch, run.status) == ("k", NOON, "main", "pending")
    assert run.environment is place
    assert runs.start(shop, environment=place).environment_id == place.id


def test_a_run_needs_what_is_there_and_a_key_of_its_own(
    runs: TestRunRepository, shop: Application
) -> None:
    gone = Repository(runs.session, Application)
    dead = gone.create(code="dead", name="Dead")
    gone.delete(dead)
    for wrong in (0, dead.id):
        with pytest.raises(RowNotFound, match="applications"):
            runs.start(wrong)
    with pytest.raises(RowNotFound, match="environments"):
        runs.start(shop, environment=0)
    with pytest.raises(ValueError, match="status"):
        runs.start(shop, status="asleep")
    with pytest.raises(ConflictError), runs.session.begin_nested():
        runs.start(shop, run_key="r1")


def test_a_run_is_not_started_for_another_tenants_application(database: Database) -> None:
    with database.session(tenant="rival") as session:
        theirs = Repository(session, Application).list()[0]
    with database.session(tenant="acme") as session:
        for named in (theirs, theirs.id):
            with pytest.raises(RowNotFound):
                TestRunRepository(session).start(named)


def test_a_run_belongs_to_its_applications_tenant(database: Database) -> None:
    with database.session(tenant="rival") as session:
        theirs = Repository(session, Application).list()[0].id
    with database.session(all_tenants=True) as session:
        assert TestRunRepository(session).start(theirs).tenant_id == "rival"
    with Session(database.engine()) as plain, plain.begin():
        run = TestRunRepository(plain).start(theirs)
        assert run.tenant_id == "rival"
        assert TestRunRepository(plain).finish(run).status == "completed"


# Finish


def test_a_run_ends_with_totals_over_final_attempts(lab: Lab) -> None:
    runs = TestRunRepository(lab.session)
    run = lab.run(
        status="running",
        verdicts="a:failed,passed b:passed c:failed d:error e:timeout f:skipped",
    )
    ended_at = run.started_at + timedelta(seconds=90, microseconds=1500)
    done = runs.finish(run.id, exit_code=1, ended_at=ended_at)
    assert done is run
    assert (run.status, run.result, run.exit_code) == ("completed", "failure", 1)
    counts = (run.total, run.passed, run.failed, run.errors, run.skipped)
    assert counts == (6, 2, 1, 2, 1)
    lab.session.expire_all()
    assert run.ended_at == ended_at
    assert run.duration_seconds == Decimal("90.002")


@pytest.mark.parametrize(
    ("verdicts", "result"),
    [
        ("a:passed b:skipped", "success"),
        ("a:passed b:error c:failed", "failure"),
        ("a:passed b:timeout", "error"),
        ("a:skipped", "success"),
        ("", None),
    ],
)
def test_the_result_follows_from_the_totals(lab: Lab, verdicts: str, result: str | None) -> None:
    run = lab.run(status="running", verdicts=verdicts)
    assert TestRunRepository(lab.session).finish(run).result == result


def test_a_run_ends_as_told(lab: Lab) -> None:
    runs = TestRunRepository(lab.session)
    run = runs.finish(lab.run(status="pending"), status="cancelled", result="timeout")
    assert (run.status, run.result, run.total) == ("cancelled", "timeout", 0)
    assert runs.finish(lab.run(status="running"), status="failed").status == "failed"


def test_a_run_that_began_by_a_clock_ahead_of_ours_took_no_time(lab: Lab) -> None:
    start = datetime.now(UTC) + timedelta(hours=1)
    run = TestRunRepository(lab.session).finish(lab.run(status="running", started_at=start))
    assert (run.ended_at, run.duration_seconds) == (start, Decimal(0))


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_run_ends_once(lab: Lab, status: str) -> None:
    run = lab.run(status=status, verdicts="a:passed")
    with pytest.raises(ValueError, match=f"is {status} already"):
        TestRunRepository(lab.session).finish(run)
    assert (run.status, run.total) == (status, 0)


def test_a_run_does_not_end_by_wrong_words(lab: Lab) -> None:
    runs = TestRunRepository(lab.session)
    run = lab.run(status="running")
    wrong: list[tuple[dict[str, object], str]] = [
        ({"status": "running"}, "completed, failed, cancelled"),
        ({"result": "fine"}, "result"),
        ({"ended_at": run.started_at - timedelta(seconds=1)}, "ended_at"),
        ({"ended_at": NOON.replace(tzinfo=None)}, "time zone"),
    ]
    for options, words in wrong:
        with pytest.raises(ValueError, match=words), lab.session.begin_nested():
            runs.finish(run, **options)  # type: ignore[arg-type]  # wrong on purpose
    lab.session.expire_all()
    assert (run.status, run.ended_at) == ("running", None)
    with pytest.raises(RowNotFound, match="test_runs"):
        runs.finish(0)


def test_a_result_that_nobody_knows_changes_nothing(lab: Lab) -> None:
    run = lab.run(status="running")
    with pytest.raises(ValueError, match="result"):
        TestRunRepository(lab.session).finish(run, result="fine")
    assert not lab.session.dirty


def test_another_tenants_run_does_not_end(database: Database) -> None:
    with database.session(tenant="rival") as session:
        theirs = TestRunRepository(session).start(Repository(session, Application).list()[0]).id
    with database.session(tenant="acme") as session, pytest.raises(RowNotFound):
        TestRunRepository(session).finish(theirs)


def test_of_two_who_finish_a_run_one_is_told(database: Database) -> None:
    def start(session: UnitOfWork) -> int:
        return TestRunRepository(session).start(Repository(session, Application).list()[0]).id

    key = database.run(start, tenant="acme")
    together, told = threading.Barrier(4), []

    def finish() -> None:
        together.wait()
        try:
            database.run(lambda session: TestRunRepository(session).finish(key), tenant="acme")
        except ValueError as error:
            told.append(str(error))

    threads = [threading.Thread(target=finish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [f"run {key} is completed already"] * 3


def test_finishing_counts_what_others_are_just_adding(database: Database) -> None:
    with database.session(tenant="acme") as session:
        run = TestRunRepository(session).start(Repository(session, Application).list()[0])
        case = Repository(session, TestCase).list()[0]

    def finish() -> None:
        database.run(lambda session: TestRunRepository(session).finish(run.id), tenant="acme")

    finisher = threading.Thread(target=finish)
    with database.session(tenant="acme") as session:
        session.add(TestResult(run_id=run.id, test_case_id=case.id, status="passed"))
        session.flush()
        finisher.start()
        finisher.join(timeout=0.3)
        assert finisher.is_alive()
    finisher.join()
    with database.session(tenant="acme") as session:
        found = session.get_one(TestRun, run.id)
        assert (found.total, found.result) == (1, "success")


# Recent


def test_recent_runs_come_newest_first_in_one_query(
    lab: Lab, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    staging = Environment(name="staging")
    for day in (3, 1, 2, 1, -1):
        lab.run(days_ago=day, environment=staging if day == 2 else None)
    application = lab.application.id
    lab.session.expunge_all()
    with queries() as sent:
        found = TestRunRepository(lab.session).recent(5, application)
        names = [
            (run.run_key, run.application.name, run.environment and run.environment.name)
            for run in found
        ]
    assert len(sent) == 1
    assert names == [
        ("lab-5", "Lab", None), ("lab-4", "Lab", None), ("lab-2", "Lab", None),
        ("lab-3", "Lab", "staging"), ("lab-1", "Lab", None),
    ]  # fmt: skip


def test_recent_runs_can_be_narrowed_down(lab: Lab) -> None:
    runs = TestRunRepository(lab.session)
    lab.run(branch="main", result="failure")
    lab.run(branch="main")
    lab.run(branch="rival")

    def keys(*args: int, **options: object) -> list[str]:
        return [run.run_key for run in runs.recent(*args, **options)]  # type: ignore[arg-type]  # what follows

    assert keys(application=lab.application) == ["lab-3", "lab-2", "lab-1"]
    assert keys(1, application=lab.application.id, branch="main") == ["lab-2"]
    assert keys(branch="rival") == ["lab-3"]
    assert keys(branch="main", result="failure") == ["lab-1"]
    assert keys(application=0) == []
    with pytest.raises(ValueError, match="no column 'colour'"):
        keys(colour="red")
    with pytest.raises(ValueError, match="1 or more"):
        keys(0)


def test_a_run_of_an_earlier_session_ends(database: Database) -> None:
    with database.session(tenant="acme") as session:
        run = TestRunRepository(session).start(Repository(session, Application).list()[0])
    with database.session(tenant="acme") as session:
        TestRunRepository(session).finish(run)
    with database.session(tenant="acme") as session:
        assert session.get_one(TestRun, run.id).status == "completed"
