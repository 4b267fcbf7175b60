"""Two runs side by side: what broke, what was mended, what takes longer.

Both are read once, grouped by test case in SQL; only cases that differ leave the database. A case
that occurs several times in a run counts by its worst final verdict and its longest time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import and_, case, func, literal, or_, select

from qadb.models import TestCase, TestResult
from qadb.repositories.generic.once import once
from qadb.repositories.generic.rounding import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from sqlalchemy import Row, Select
    from sqlalchemy.orm import Session

    _Row: TypeAlias = Row[
        int, str, str | None, str | None,
        int | None, int | None, Decimal | None, Decimal | None, bool | None,
    ]  # fmt: skip

SLOWER_RATIO = 1.5
SLOWER_MIN_MS = 100.0

# From best to worst; a test that was skipped did not run, so one occurrence that did outweighs it.
VERDICTS = ("skipped", "passed", "failed", "timeout", "error")
SKIPPED, PASSED = VERDICTS.index("skipped"), VERDICTS.index("passed")

_PARTS = 1000  # a ratio is compared in whole thousandths, which both engines do exactly


@dataclass(frozen=True, slots=True)
class ComparedTest:
    """A test in both runs.

    Attributes:
        status: its worst final verdict in the run; None where it is not in it.
        baseline_status: the same in the baseline.
        duration_ms: its longest time in the run; None where that is not known.
        baseline_duration_ms: the same in the baseline.
    """

    test_case_id: int
    name: str
    suite: str | None
    classname: str | None
    status: str | None
    baseline_status: str | None
    duration_ms: float | None
    baseline_duration_ms: float | None


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What differs between two runs; tests are in the order of their keys.

    To fail is to end failed, in an error or in a timeout. A test can be in several lists: one that
    was added and fails is a new failure too.

    Attributes:
        new_failures: fail in the run, and did not in the baseline.
        fixed: pass in the run, and failed in the baseline.
        still_failing: fail in both.
        newly_skipped: are skipped in the run, and ran in the baseline.
        slower: pass in both, and take longer by both limits; the most time lost first.
        added: are in the run alone.
        removed: are in the baseline alone.
    """

    run_id: int
    baseline_run_id: int
    new_failures: tuple[ComparedTest, ...]
    fixed: tuple[ComparedTest, ...]
    still_failing: tuple[ComparedTest, ...]
    newly_skipped: tuple[ComparedTest, ...]
    slower: tuple[ComparedTest, ...]
    added: tuple[ComparedTest, ...]
    removed: tuple[ComparedTest, ...]


def compare_runs(
    session: Session,
    run_id: int,
    baseline_run_id: int,
    *,
    slower_ratio: float,
    slower_min_ms: float,
) -> RunComparison:
    """Compare two runs; see `TestRunRepository.compare`."""
    if not (isfinite(slower_ratio) and slower_ratio >= 1):
        raise ValueError(f"slower_ratio must be at least 1, not {slower_ratio}")
    if not slower_min_ms >= 0:
        raise ValueError(f"slower_min_ms must be at least 0, not {slower_min_ms}")
    query = _differences(run_id, baseline_run_id, slower_ratio, slower_min_ms)
    rows = session.execute(query).all()
    slower = sorted(
        (row for row in rows if row.is_slower),
        key=lambda row: (row.baseline_duration - row.duration, row.id),
    )

    def tests(holds: Callable[[int | None, int | None], bool]) -> tuple[ComparedTest, ...]:
        return tuple(_test(row) for row in rows if holds(row.verdict, row.baseline_verdict))

    return RunComparison(
        run_id,
        baseline_run_id,
        new_failures=tests(lambda now, before: _fails(now) and not _fails(before)),
        fixed=tests(lambda now, before: now == PASSED and _fails(before)),
        still_failing=tests(lambda now, before: _fails(now) and _fails(before)),
        newly_skipped=tests(
            lambda now, before: now == SKIPPED and before is not None and before != SKIPPED
        ),
        slower=tuple(_test(row) for row in slower),
        added=tests(lambda _now, before: before is None),
        removed=tests(lambda now, _before: now is None),
    )


def _differences(
    run_id: int, baseline_run_id: int, slower_ratio: float, slower_min_ms: float
) -> Select[
    int, str, str | None, str | None,
    int | None, int | None, Decimal | None, Decimal | None, bool | None,
]:  # fmt: skip
    both = once(_grouped(run_id, baseline_run_id))
    verdict, baseline_verdict = both.c.verdict, both.c.baseline_verdict
    duration, baseline_duration = both.c.duration, both.c.baseline_duration
    is_slower = and_(
        verdict == PASSED,
        baseline_verdict == PASSED,
        duration > baseline_duration,
        duration * _PARTS >= baseline_duration * round(slower_ratio * _PARTS),
        duration - baseline_duration >= literal(slower_min_ms, duration.type),
    )
    return (
        select(
            TestCase.id, TestCase.name, TestCase.suite, TestCase.classname,
            verdict, baseline_verdict, duration, baseline_duration, is_slower.label("is_slower"),
        )
        .join(both, both.c.test_case_id == TestCase.id)
        .where(
            or_(
                verdict.is_(None),
                baseline_verdict.is_(None),
                verdict > PASSED,
                baseline_verdict > PASSED,
                and_(verdict == SKIPPED, baseline_verdict != SKIPPED),
                is_slower,
            )
        )
        .order_by(both.c.test_case_id)  # by TestCase.id, SQLite would read all there are
    )  # fmt: skip


def _grouped(run_id: int, baseline_run_id: int) -> Select[*tuple[object, ...]]:
    """Every test case of the two runs, with its worst verdict and longest time in each."""
    rank = case({word: place for place, word in enumerate(VERDICTS)}, value=TestResult.status)
    now, before = TestResult.run_id == run_id, TestResult.run_id == baseline_run_id
    return (
        select(
            TestResult.test_case_id,
            func.max(case((now, rank))).label("verdict"),
            func.max(case((before, rank))).label("baseline_verdict"),
            func.max(case((now, TestResult.duration_ms))).label("duration"),
            func.max(case((before, TestResult.duration_ms))).label("baseline_duration"),
        )
        .where(TestResult.run_id.in_((run_id, baseline_run_id)), TestResult.is_final)
        .group_by(TestResult.test_case_id)
    )


def _fails(verdict: int | None) -> bool:
    return verdict is not None and verdict > PASSED


def _test(row: _Row) -> ComparedTest:
    return ComparedTest(
        row.id, row.name, row.suite, row.classname,
        status=_word(row.verdict),
        baseline_status=_word(row.baseline_verdict),
        duration_ms=_milliseconds(row.duration),
        baseline_duration_ms=_milliseconds(row.baseline_duration),
    )  # fmt: skip


def _word(verdict: int | None) -> str | None:
    return None if verdict is None else VERDICTS[verdict]


def _milliseconds(duration: Decimal | None) -> float | None:
    return None if duration is None else milliseconds(duration)
