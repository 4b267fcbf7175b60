"""Two runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.errors import RowNotFound
from qadb.repositories.figures.run_comparison import ComparedTest, RunComparison
from qadb.repositories.test_runs import TestRunRepository

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.models import TestRun
    from tests.repositories.lab import Lab

LISTS = (
    "new_failures", "fixed", "still_failing", "newly_skipped", "slower", "added", "removed",
)  # fmt: skip


def names(found: RunComparison) -> dict[str, str]:
    """The lists that have something in them, and the tests in it."""
    lists = {name: getattr(found, name) for name in LISTS}
    return {name: " ".join(test.name for test in tests) for name, tests in lists.items() if tests}


def compare(lab: Lab, now: TestRun, before: TestRun, **options: float) -> dict[str, str]:
    return names(TestRunRepository(lab.session).compare(now, before, **options))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("passed", "passed", ""),
        ("skipped", "skipped", ""),
        ("skipped", "passed", ""),
        ("passed", "failed", "new_failures"),
        ("passed", "error", "new_failures"),
        ("skipped", "timeout", "new_failures"),
        ("failed", "passed", "fixed"),
        ("error", "passed", "fixed"),
        ("timeout", "passed", "fixed"),
        ("failed", "failed", "still_failing"),
        ("error", "timeout", "still_failing"),
        ("passed", "skipped", "newly_skipped"),
        ("failed", "skipped", "newly_skipped"),
        ("", "passed", "added"),
        ("", "skipped", "added"),
        ("", "failed", "new_failures added"),
        ("passed", "", "removed"),
        ("failed", "", "removed"),
        ("failed,passed", "passed", ""),
        ("passed", "failed,passed", ""),
        ("passed", "passed,failed", "new_failures"),
    ],
)
def test_a_test_is_listed_by_its_two_verdicts(
    lab: Lab, before: str, now: str, expected: str
) -> None:
    baseline = lab.run(verdicts=f"a:{before}" if before else "")
    run = lab.run(verdicts=f"a:{now}" if now else "")
    assert compare(lab, run, baseline) == dict.fromkeys(expected.split(), "a")


def test_occurrences_count_by_the_worst_verdict_and_the_longest_time(lab: Lab) -> None:
    baseline, run = lab.run(verdicts="a:passed b:passed c:skipped"), lab.run()
    for occurrence, status in enumerate(["passed", "error", "failed", "skipped"], start=1):
        times = {"occurrence": occurrence, "duration_ms": 10.5 * occurrence}
        lab.result(run, "a", status, **times)
    lab.result(run, "b", "skipped")
    lab.result(run, "b", "passed", occurrence=2)
    lab.result(run, "c", "skipped")
    found = TestRunRepository(lab.session).compare(run.id, baseline.id)
    a = lab.case("a").id
    assert found == RunComparison(
        run.id, baseline.id,
        new_failures=(ComparedTest(a, "a", None, None, "error", "passed", 42.0, None),),
        fixed=(), still_failing=(), newly_skipped=(), slower=(), added=(), removed=(),
    )  # fmt: skip


def test_slower_by_ratio_and_by_time(lab: Lab) -> None:
    times = {
        "same": (1000, 1000), "quicker": (1000, 10), "much": (1000, 1500), "more": (10, 700.25),
        "hardly": (1000, 1499.999), "short": (1, 100.999), "long": (1, 101), "nought": (0, 100),
    }  # fmt: skip
    baseline, run = lab.run(), lab.run()
    for name, (quick, slow) in times.items():
        lab.result(baseline, name, "passed", duration_ms=quick)
        lab.result(run, name, "passed", duration_ms=slow)
    for name, before, now in (("broken", "passed", "failed"), ("mended", "failed", "passed")):
        lab.result(baseline, name, before, duration_ms=1)
        lab.result(run, name, now, duration_ms=9000)
    lab.result(baseline, "unknown", "passed")
    lab.result(run, "unknown", "passed", duration_ms=9000)
    found = TestRunRepository(lab.session).compare(run, baseline)
    assert [(t.name, t.baseline_duration_ms, t.duration_ms) for t in found.slower] == [
        ("more", 10.0, 700.25), ("much", 1000.0, 1500.0), ("long", 1.0, 101.0),
        ("nought", 0.0, 100.0),
    ]  # fmt: skip
    assert names(found)["new_failures"] == "broken"
    assert compare(lab, run, baseline, slower_ratio=70.025, slower_min_ms=0)["slower"] == (
        "more long nought short"
    )
    assert compare(lab, run, baseline, slower_ratio=70.026)["slower"] == "long nought"
    assert compare(lab, run, baseline, slower_ratio=1, slower_min_ms=0)["slower"] == (
        "more much hardly long nought short"
    )


def test_lists_are_in_the_order_of_keys(lab: Lab) -> None:
    baseline = lab.run(verdicts="z:failed y:passed x:failed")
    run = lab.run(verdicts="x:failed w:passed y:failed z:failed")
    assert compare(lab, run, baseline) == {
        "still_failing": "z x", "new_failures": "y", "added": "w",
    }  # fmt: skip


def test_a_run_does_not_differ_from_itself(lab: Lab) -> None:
    run = lab.run(verdicts="a:passed b:failed c:skipped")
    assert compare(lab, run, run, slower_ratio=1, slower_min_ms=0) == {"still_failing": "b"}


def test_deleted_tests_are_still_in_their_runs(lab: Lab) -> None:
    baseline, run = lab.run(verdicts="gone:passed"), lab.run(verdicts="a:passed")
    lab.delete("gone")
    assert compare(lab, run, baseline) == {"added": "a", "removed": "gone"}


def test_only_differences_leave_the_database(
    lab: Lab, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    verdicts = " ".join(f"t{number}:passed" for number in range(50))
    baseline, run = (
        lab.run(verdicts=f"{verdicts} x:passed"),
        lab.run(verdicts=f"{verdicts} x:error"),
    )
    lab.session.flush()
    with queries() as sent:
        assert compare(lab, run, baseline) == {"new_failures": "x"}
    assert len(sent) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"slower_ratio": 0.99},
        {"slower_ratio": float("nan")},
        {"slower_ratio": float("inf")},
        {"slower_min_ms": -1},
        {"slower_min_ms": float("nan")},
    ],
)
def test_limits_must_make_sense(lab: Lab, options: dict[str, float]) -> None:
    run = lab.run()
    with pytest.raises(ValueError, match="slower_"):
        compare(lab, run, run, **options)


def test_both_runs_must_be_there(lab: Lab) -> None:
    run = lab.run()
    runs = TestRunRepository(lab.session)
    with pytest.raises(RowNotFound, match="test_runs"):
        runs.compare(0, run)
    with pytest.raises(RowNotFound, match="test_runs"):
        runs.compare(run, 0)


def test_another_tenants_runs_are_not_compared(database: Database, rival_lab: None) -> None:
    with database.session(tenant="rival") as session:
        theirs = TestRunRepository(session).recent(2)
        assert names(TestRunRepository(session).compare(*theirs))
    with database.session(tenant="acme", read_only=True) as session:
        with pytest.raises(RowNotFound):
            TestRunRepository(session).compare(theirs[0].id, theirs[1].id)
        with pytest.raises(RowNotFound):
            TestRunRepository(session).compare(*theirs)
