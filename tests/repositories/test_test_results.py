"""Figures over results, and the histories and lists behind them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from qadb.models import Environment, TestCase, TestResult
from qadb.repositories.figures.failing_tests import FailingTest
from qadb.repositories.figures.failure_groups import FailureGroup
from qadb.repositories.figures.flaky_tests import FlakyTest
from qadb.repositories.figures.results import ResultFigures
from qadb.repositories.figures.slow_tests import SlowTest
from qadb.repositories.test_results import TestResultRepository
from tests.repositories.lab import NOON, Lab

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qadb.database import Database

NOTHING = ResultFigures(0, 0, 0, 0, 0, 0)


@pytest.fixture
def results(lab: Lab) -> TestResultRepository:
    return TestResultRepository(lab.session)


# Statistics


def test_statistics_count_final_attempts_of_the_period(
    lab: Lab, results: TestResultRepository
) -> None:
    lab.run(days_ago=1, verdicts="a:failed,passed b:failed c:error d:timeout e:skipped")
    lab.run(days_ago=-2, verdicts="a:passed")  # by a clock that is ahead
    lab.run(days_ago=31, verdicts="a:passed b:passed")
    found = results.get_statistics(now=NOON)
    assert found == ResultFigures(total=6, passed=2, failed=1, errors=1, skipped=1, timeout=1)
    assert found.pass_rate == 0.4
    assert results.get_statistics(days=32, now=NOON).total == 8


def test_statistics_of_a_run_know_no_period(lab: Lab, results: TestResultRepository) -> None:
    old = lab.run(days_ago=900, verdicts="a:passed b:skipped")
    lab.run(verdicts="a:failed")
    assert results.get_statistics(run=old, now=NOON) == ResultFigures(2, 1, 0, 0, 1, 0)
    assert results.get_statistics(run=old.id).pass_rate == 1.0
    assert results.get_statistics(run=0) == NOTHING


def test_statistics_of_an_application(lab: Lab, results: TestResultRepository) -> None:
    lab.run(verdicts="a:passed")
    other = Lab(lab.session)
    other.application.code = "other"
    run = other.run(verdicts="x:failed", run_key="x")
    assert results.get_statistics(application=other.application, now=NOON).failed == 1
    assert results.get_statistics(application=lab.application.id, now=NOON) == NOTHING
    assert results.get_statistics(application=lab.application, run=run) == NOTHING


def test_no_results_have_no_rate(results: TestResultRepository) -> None:
    assert results.get_statistics(now=NOON) == NOTHING
    assert results.get_statistics(now=NOON).pass_rate is None


def test_figures_of_another_tenants_run_are_empty(database: Database, rival_lab: None) -> None:
    with database.session(tenant="rival", read_only=True) as session:
        of_rival = TestResultRepository(session)
        run = max(result.run_id for result in of_rival.list())
        assert of_rival.get_statistics(run=run).failed == 29
    with database.session(tenant="acme", read_only=True) as session:
        assert TestResultRepository(session).get_statistics(run=run) == NOTHING


def test_sessions_for_all_tenants_and_plain_ones_see_everything(
    database: Database, rival_lab: None
) -> None:
    with database.session(all_tenants=True, read_only=True) as session:
        everything = TestResultRepository(session).get_statistics(days=9999, now=NOON)
    with Session(database.engine()) as plain:
        found = TestResultRepository(plain).get_statistics(days=9999, now=NOON)
        assert found == everything
    assert everything == ResultFigures(39, 6, 33, 0, 0, 0)


# Flaky tests


def flaky(results: TestResultRepository, **options: int) -> dict[str, tuple[int, float | None]]:
    found = results.flaky(now=NOON, **options)
    return {test.name: (test.flips, test.flip_rate) for test in found}


def test_flips_are_counted_in_the_order_of_runs(lab: Lab, results: TestResultRepository) -> None:
    days = {5: "passed", 4: "failed", 3: "skipped", 2: "error", 1: "passed", 0: "timeout"}
    for day in (1, 3, 5, 0, 2, 4):  # entered in another order than they ran in
        lab.run(days_ago=day, verdicts=f"a:{days[day]} steady:passed broken:failed")
    case = lab.case("a")
    assert results.flaky(now=NOON) == (
        FlakyTest(
            case.id, "a", None, None,
            runs=5, passed=2, failed=3, passed_on_retry=0, flips=3, flip_rate=0.75,
        ),
    )  # fmt: skip


def test_a_pass_after_a_failed_attempt_is_flaky(lab: Lab, results: TestResultRepository) -> None:
    lab.run(verdicts="a:failed,error,passed b:failed,failed c:passed,passed d:skipped,passed")
    (found,) = results.flaky(now=NOON)
    assert (found.name, found.runs, found.passed, found.passed_on_retry) == ("a", 1, 1, 1)
    assert (found.flips, found.flip_rate) == (0, None)


def test_verdicts_of_different_places_are_no_flips(lab: Lab, results: TestResultRepository) -> None:
    staging = Environment(name="staging")
    for day in range(4):
        lab.run(days_ago=day, verdicts="a:passed")
        lab.run(days_ago=day + 0.3, verdicts="a:failed", branch="fix")
        lab.run(days_ago=day + 0.6, verdicts="a:failed", environment=staging)
    assert flaky(results) == {}
    lab.run(days_ago=0.1, verdicts="a:passed", branch="fix")
    assert flaky(results) == {"a": (1, 0.1)}


def test_occurrences_are_held_against_their_own_kind(
    lab: Lab, results: TestResultRepository
) -> None:
    for day in range(3):
        run = lab.run(days_ago=day, verdicts="a:passed")
        lab.result(run, "a", "failed", occurrence=2)
    assert flaky(results) == {}


def test_those_that_flip_most_come_first_and_ties_go_by_key(
    lab: Lab, results: TestResultRepository
) -> None:
    words = ["b:passed a:passed once:passed late:failed,passed", "b:failed a:failed once:failed",
             "b:passed a:passed once:failed"]  # fmt: skip
    for day, verdicts in enumerate(words):
        lab.run(days_ago=9 - day, verdicts=verdicts)
    everything = {"b": (2, 1.0), "a": (2, 1.0), "once": (1, 0.5), "late": (0, None)}
    assert list(flaky(results).items()) == list(everything.items())
    assert list(flaky(results, limit=2)) == ["b", "a"]


def test_flaky_looks_at_the_period_and_at_live_tests(
    lab: Lab, results: TestResultRepository
) -> None:
    lab.run(days_ago=31, verdicts="a:failed gone:failed")
    lab.run(days_ago=2, verdicts="a:passed gone:passed")
    lab.delete("gone")
    assert flaky(results) == {}
    assert flaky(results, days=32) == {"a": (1, 1.0)}


# Slow tests


def test_the_slowest_go_by_their_mean_time(lab: Lab, results: TestResultRepository) -> None:
    times: dict[str, list[float]] = {
        "a": [100, 200.5],
        "b": [150, 150.5],
        "c": [900],
        "gone": [5000],
    }
    for name, durations in times.items():
        for duration in durations:
            lab.result(lab.run(), name, "failed", duration_ms=duration)
    other = lab.run(days_ago=31)
    lab.result(other, "a", "passed", duration_ms=90_000)
    run = lab.run()
    lab.result(run, "a", "skipped", duration_ms=70_000)
    lab.result(run, "b", "passed")
    lab.result(run, "c", "passed", duration_ms=80_000, is_final=False)
    lab.delete("gone")
    ids = {name: lab.case(name).id for name in "abc"}
    assert results.slowest(now=NOON) == (
        SlowTest(ids["c"], "c", None, None, 1, 900.0, 900.0, 900.0),
        SlowTest(ids["a"], "a", None, None, 2, 150.25, 200.5, 300.5),
        SlowTest(ids["b"], "b", None, None, 2, 150.25, 150.5, 300.5),
    )
    assert [test.name for test in results.slowest(limit=1, now=NOON)] == ["c"]


def test_the_most_failing_go_by_their_failures(lab: Lab, results: TestResultRepository) -> None:
    last = lab.run(days_ago=1, verdicts="a:failed,passed b:timeout c:error gone:failed d:passed")
    lab.run(days_ago=2, verdicts="a:passed b:error c:skipped gone:failed")
    lab.run(days_ago=3, verdicts="a:failed b:passed")
    lab.run(days_ago=31, verdicts="c:failed")
    lab.delete("gone")
    ids = {name: lab.case(name).id for name in "abc"}
    assert results.most_failing(now=NOON) == (
        FailingTest(ids["b"], "b", None, None, 3, 2, last.started_at),
        FailingTest(ids["a"], "a", None, None, 3, 1, NOON - timedelta(days=3)),
        FailingTest(ids["c"], "c", None, None, 1, 1, last.started_at),
    )
    assert [test.name for test in results.most_failing(limit=1, now=NOON)] == ["b"]
    assert results.most_failing(application=0, now=NOON) == ()


# History


def test_a_history_is_paged_by_run_the_newest_first(
    lab: Lab,
    results: TestResultRepository,
    queries: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    runs = [lab.run(verdicts="a:failed,passed b:passed") for _ in range(3)]
    lab.result(runs[0], "a", "skipped", occurrence=2)
    lab.session.expunge_all()
    key = lab.case("a").id
    seen: list[tuple[int, int, int]] = []
    after = None
    with queries() as sent:
        while True:
            page = results.history(key, after=after, limit=3)
            seen += [(row.run_id, row.occurrence, row.attempt) for row in page.items]
            assert all(row.run.run_key.startswith("lab-") for row in page.items)
            after = page.next_cursor
            if after is None:
                break
    first, second, third = (run.id for run in runs)
    assert seen == [
        (third, 1, 2), (third, 1, 1), (second, 1, 2), (second, 1, 1),
        (first, 2, 1), (first, 1, 2), (first, 1, 1),
    ]  # fmt: skip
    assert len(sent) == 3


def test_a_history_takes_filters(lab: Lab, results: TestResultRepository) -> None:
    lab.run(verdicts="a:failed,passed")
    case = lab.case("a")
    assert [row.status for row in results.history(case, is_final=True).items] == ["passed"]
    assert [row.status for row in results.history(case, TestResult.attempt == 1).items] == [
        "failed"
    ]
    with pytest.raises(ValueError, match="no column 'colour'"):
        results.history(case, colour="red")


def test_a_history_of_another_tenants_test_is_empty(database: Database, rival_lab: None) -> None:
    with database.session(tenant="rival") as session:
        case = TestResultRepository(session).list()[0].test_case_id
    with database.session(tenant="acme") as session:
        assert TestResultRepository(session).history(case).items == []


# Failures that are the same


def test_failures_are_grouped_by_signature(lab: Lab, results: TestResultRepository) -> None:
    first = lab.run(days_ago=3)
    second = lab.run(days_ago=2)
    early = NOON - timedelta(days=5)
    same = {"signature": "same", "error_type": "E"}
    lab.result(first, "a", "failed", **same, message="1", executed_at=early)
    lab.result(second, "b", "error", **same, message="2")
    lab.result(second, "a", "timeout", **same, message="3", executed_at=early)
    lab.result(second, "c", "failed", signature="once")
    lab.result(second, "d", "failed")
    lab.result(second, "e", "failed", signature="once", is_final=False)
    lab.result(second, "e", "passed", attempt=2)
    lab.result(second, "f", "skipped", signature="never")
    lab.result(lab.run(days_ago=31), "a", "failed", **same)
    assert results.failures_by_signature(now=NOON) == (
        FailureGroup("same", 3, 2, early, second.started_at, "E", "3"),
        FailureGroup("once", 1, 1, second.started_at, second.started_at, None, None),
    )
    assert len(results.failures_by_signature(limit=1, now=NOON)) == 1


def test_equal_groups_go_by_when_they_were_seen_last_and_by_their_example(
    lab: Lab, results: TestResultRepository
) -> None:
    old, new = lab.run(days_ago=2), lab.run(days_ago=1)
    lab.result(old, "a", "failed", signature="x")
    lab.result(new, "b", "failed", signature="a", executed_at=NOON)
    lab.result(new, "c", "failed", signature="B", executed_at=NOON)
    found = results.failures_by_signature(now=NOON)
    assert [group.signature for group in found] == ["a", "B", "x"]


def test_failures_of_a_signature_are_paged_the_newest_first(
    lab: Lab,
    results: TestResultRepository,
    queries: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    older, newer = lab.run(days_ago=2), lab.run(days_ago=1)
    hours = {("a", 1): 5, ("a", 2): 4, ("b", 1): 5, ("c", 1): None, ("d", 1): 9}
    for (name, attempt), hour in hours.items():
        when = None if hour is None else NOON - timedelta(hours=hour)
        for run in (older, newer) if name == "b" else (newer,):
            lab.result(
                run, name, "error", attempt=attempt, is_final=(name, attempt) != ("a", 1),
                signature="same", executed_at=when,
            )  # fmt: skip
    lab.result(newer, "e", "skipped", signature="same", executed_at=NOON)
    lab.result(newer, "f", "failed", signature="other", executed_at=NOON)
    lab.session.expunge_all()
    pages = [results.with_signature("same", limit=2)]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(results.with_signature("same", after=cursor, limit=2))
    with queries() as seen:
        found = [(row.test_case.name, row.run.id, row.attempt) for p in pages for row in p.items]
    assert seen == []
    assert found == [
        ("c", newer.id, 1), ("a", newer.id, 2), ("b", newer.id, 1), ("a", newer.id, 1),
        ("b", older.id, 1), ("d", newer.id, 1),
    ]  # fmt: skip


def test_failures_of_a_signature_take_filters(lab: Lab, results: TestResultRepository) -> None:
    run = lab.run()
    lab.result(run, "a", "failed", signature="same", is_final=False)
    lab.result(run, "a", "failed", signature="same", attempt=2)
    lab.result(run, "b", "timeout", signature="same")
    final = results.with_signature("same", is_final=True)
    assert [(row.test_case_id, row.attempt) for row in final.items] == [
        (lab.case("b").id, 1),
        (lab.case("a").id, 2),
    ]
    late = results.with_signature("same", TestResult.status == "timeout").items
    assert [row.test_case_id for row in late] == [lab.case("b").id]
    assert results.with_signature("nobody's").items == []
    with pytest.raises(ValueError, match="1 or more"):
        results.with_signature("same", limit=0)


def test_failures_of_another_tenants_signature_are_none(
    database: Database, rival_lab: None
) -> None:
    with database.session(tenant="acme", read_only=True) as session:
        assert TestResultRepository(session).with_signature("same").items == []
    with database.session(tenant="rival", read_only=True) as session:
        assert len(TestResultRepository(session).with_signature("same").items) == 29


# Wrong arguments


@pytest.mark.parametrize("method", ["flaky", "slowest", "most_failing", "failures_by_signature"])
def test_periods_and_limits_must_make_sense(results: TestResultRepository, method: str) -> None:
    find = getattr(results, method)
    assert find(now=NOON) == ()
    for wrong in ({"limit": 0}, {"days": -1}, {"days": 10**9}, {"now": NOON.replace(tzinfo=None)}):
        with pytest.raises(ValueError, match=r"limit|period|calendar|time zone"):
            find(**wrong)


def test_pages_of_histories_have_rows(lab: Lab, results: TestResultRepository) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        results.history(lab.case("a"), limit=0)
    with pytest.raises(ValueError, match="not written yet"):
        results.history(TestCase(case_key="x", name="x"))
