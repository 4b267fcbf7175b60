"""Why tests failed, and which failures keep coming back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from qadb.errors import RowNotFound
from qadb.models import FailureAnalysis, TestCase, TestResult, TestRun
from qadb.repositories.quality.failures import FailureRepository, RecurringFailure

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MONTH_AGO = NOON - timedelta(days=30)
HOUR = timedelta(hours=1)


def add_run(session: Session, key: str, started_at: datetime = NOON) -> TestRun:
    application = session.scalars(select(TestRun)).all()[0].application
    run = TestRun(run_key=key, application=application, started_at=started_at)
    session.add(run)
    return run


def add_result(session: Session, run: TestRun, occurrence: int = 1, **values: Any) -> TestResult:
    case = session.scalars(select(TestCase)).one()
    stated = {"status": "failed", "occurrence": occurrence, "attempt": 1, **values}
    result = TestResult(run=run, test_case=case, **stated)
    session.add(result)
    session.flush()
    return result


def explain(
    session: Session, result: TestResult, signature: str | None, at: datetime = NOON, **values: Any
) -> FailureAnalysis:
    row = FailureAnalysis(test_result=result, signature=signature, created_at=at, **values)
    session.add(row)
    session.flush()
    return row


# Explaining


def test_a_result_is_explained_by_itself_or_by_its_key(acme: UnitOfWork) -> None:
    run = add_run(acme, "r2")
    result = add_result(acme, run, signature="sig", attempt=2)
    failures = FailureRepository(acme)
    first = failures.explain(result, category="flaky", confidence=0.5)
    key = (run.id, result.test_case_id, 1, 2)
    second = failures.explain(
        key,
        signature="other",
        root_cause="a clock",
        suggested_fixes=({"file": "a.py"},),
        related_commits=("abc",),
    )
    acme.expire_all()
    assert {row.signature for row in result.failure_analyses} == {"sig", "other"}
    assert first.test_result is result
    assert (first.category, first.confidence, first.tenant_id) == ("flaky", 0.5, "acme")
    assert first.suggested_fixes is None
    assert (second.root_cause, second.suggested_fixes) == ("a clock", [{"file": "a.py"}])
    assert second.related_commits == ["abc"]


def test_what_can_not_be_explained_is_refused(acme: UnitOfWork) -> None:
    failures = FailureRepository(acme)
    with pytest.raises(RowNotFound, match=r"\(0, 0, 1, 1\)"):
        failures.explain((0, 0, 1, 1))
    result = acme.scalars(select(TestResult)).one()
    with pytest.raises(ValueError, match="between 0 and 1"):
        failures.explain(result, confidence=1.5)
    assert failures.count() == 0


def test_another_tenants_results_are_not_explained(database: Database) -> None:
    with database.session(tenant="rival") as session:
        result = session.scalars(select(TestResult)).one()
    key = (result.run_id, result.test_case_id, result.occurrence, result.attempt)
    with database.session(tenant="acme") as session:
        for named in (key, result):
            with pytest.raises(RowNotFound):
                FailureRepository(session).explain(named)
    with database.session(all_tenants=True) as session:
        assert FailureRepository(session).explain(key).tenant_id == "rival"


# What comes back


def test_recurring_counts_results_runs_and_analyses(acme: UnitOfWork) -> None:
    early = add_run(acme, "early", NOON - 3 * HOUR)
    late = add_run(acme, "late", NOON - HOUR)
    first = add_result(acme, early, executed_at=NOON - 2 * HOUR)
    retried = add_result(acme, early, attempt=2)
    last = add_result(acme, late)
    explain(acme, last, "sig", category="infra", root_cause="the newest cause", confidence=0.25)
    explain(acme, last, "sig", NOON - HOUR, category="old", root_cause="older", confidence=0.75)
    explain(acme, first, "sig", NOON + HOUR)
    explain(acme, retried, "sig", NOON - HOUR)
    explain(acme, first, None)
    explain(acme, retried, None)
    assert FailureRepository(acme).recurring(now=NOON) == (
        RecurringFailure(
            signature="sig",
            results=3,
            runs=2,
            analyses=4,
            category="infra",
            root_cause="the newest cause",
            confidence=0.75,
            first_seen_at=NOON - 3 * HOUR,
            last_seen_at=NOON - HOUR,
        ),
    )


def test_of_analyses_of_one_moment_the_last_made_speaks(acme: UnitOfWork) -> None:
    run = add_run(acme, "r2")
    for number in (1, 2):
        cause = f"cause {number}"
        explain(acme, add_result(acme, run, number), "sig", root_cause=cause, category="same")
    (found,) = FailureRepository(acme).recurring(now=NOON)
    assert (found.root_cause, found.category, found.confidence) == ("cause 2", "same", None)


def test_explaining_one_result_twice_is_no_recurrence(acme: UnitOfWork) -> None:
    result = add_result(acme, add_run(acme, "r2"))
    explain(acme, result, "sig")
    explain(acme, result, "sig")
    failures = FailureRepository(acme)
    assert failures.recurring(now=NOON) == ()
    (once,) = failures.recurring(minimum=1, now=NOON)
    assert (once.results, once.analyses) == (1, 2)


def test_the_most_frequent_come_first_then_the_last_seen(acme: UnitOfWork) -> None:
    old, new = add_run(acme, "old", NOON - HOUR), add_run(acme, "new")
    signatures = {"b": (old, 2), "a": (old, 2), "c": (new, 2), "d": (old, 3), "e": (old, 1)}
    occurrence = 0
    for signature, (run, times) in signatures.items():
        for _ in range(times):
            occurrence += 1
            explain(acme, add_result(acme, run, occurrence), signature)
    failures = FailureRepository(acme)
    assert [each.signature for each in failures.recurring(now=NOON)] == ["d", "c", "a", "b"]
    assert [each.signature for each in failures.recurring(minimum=3, now=NOON)] == ["d"]
    assert [each.signature for each in failures.recurring(limit=2, now=NOON)] == ["d", "c"]


def test_recurring_reads_what_was_explained_in_the_period(acme: UnitOfWork) -> None:
    run = add_run(acme, "ancient", NOON - timedelta(days=400))
    for number, at in enumerate(
        [MONTH_AGO - timedelta.resolution, MONTH_AGO, NOON + timedelta(days=1)], start=1
    ):
        explain(acme, add_result(acme, run, number), "sig", at)
    failures = FailureRepository(acme)
    assert [each.results for each in failures.recurring(now=NOON)] == [2]
    assert [each.results for each in failures.recurring(31, now=NOON)] == [3]
    assert failures.recurring(1, now=NOON) == ()


def test_wrong_arguments_are_refused(acme: UnitOfWork) -> None:
    failures = FailureRepository(acme)
    assert failures.recurring() == ()
    with pytest.raises(ValueError, match="1 or more, not 0"):
        failures.recurring(minimum=0)
    with pytest.raises(ValueError, match="0 or more, not -1"):
        failures.recurring(limit=-1)
    with pytest.raises(ValueError, match="0 days or more"):
        failures.recurring(days=-1)


def test_another_tenants_failures_do_not_count(database: Database) -> None:
    for tenant, times in (("acme", 2), ("rival", 3)):
        with database.session(tenant=tenant) as session:
            run = add_run(session, "r2")
            for number in range(1, times + 1):
                cause = f"{tenant}'s cause"
                explain(session, add_result(session, run, number), "sig", root_cause=cause)
    with database.session(tenant="acme", read_only=True) as session:
        (found,) = FailureRepository(session).recurring(now=NOON)
        assert (found.results, found.runs, found.root_cause) == (2, 1, "acme's cause")
    with database.session(all_tenants=True, read_only=True) as session:
        (found,) = FailureRepository(session).recurring(now=NOON)
        assert (found.results, found.runs, found.root_cause) == (5, 2, "rival's cause")
    with Session(database.engine()) as session:
        assert FailureRepository(session).recurring(now=NOON) == (found,)
