"""Flaky tests: whose verdict changes although nothing that they depend on did.

What that means is said at `TestResultRepository.flaky`. The period is read once for the few tests
that can be flaky at all; only their results are put in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, func, or_, select

from qadb.models import TestResult, TestRun
from qadb.repositories.figures.by_case import first_cases
from qadb.repositories.figures.results import DID_NOT_PASS
from qadb.repositories.generic.once import once
from qadb.repositories.generic.rounding import fraction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select, Subquery
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class FlakyTest:
    """A test with how its final verdicts came and went over the period.

    Attributes:
        runs: final attempts that ran.
        failed: those that ended failed, in an error or in a timeout.
        passed_on_retry: how often it passed after an attempt that did not.
        flips: how often the verdict changed from one run to the next in the same place.
        flip_rate: flips among all steps from one run to the next, 0 to 1; None when no place has
            seen two runs of it.
    """

    test_case_id: int
    name: str
    suite: str | None
    classname: str | None
    runs: int
    passed: int
    failed: int
    passed_on_retry: int
    flips: int
    flip_rate: float | None


def find_flaky_tests(
    session: Session, runs: Sequence[ColumnElement[bool]], limit: int
) -> tuple[FlakyTest, ...]:
    """Find them in the runs that meet the conditions; see `TestResultRepository.flaky`."""
    counted = _counted(_in_order(_verdicts(runs)))
    order = (counted.c.flips.desc(), counted.c.rescued.desc(), counted.c.steps)
    return tuple(
        FlakyTest(
            row.id, row.name, row.suite, row.classname,
            runs=row.runs,
            passed=row.passed,
            failed=row.runs - row.passed,
            passed_on_retry=row.rescued,
            flips=row.flips,
            flip_rate=fraction(row.flips, row.steps),
        )
        for row in session.execute(first_cases(counted, order, limit))
    )  # fmt: skip


def _candidates(runs: Sequence[ColumnElement[bool]]) -> Select[int]:
    """Tests that both passed and failed, or failed before their last attempt."""
    fails = TestResult.status.in_(DID_NOT_PASS)
    passed = _count(and_(TestResult.is_final, TestResult.status == "passed"))
    failed = _count(and_(TestResult.is_final, fails))
    failed_before = _count(and_(~TestResult.is_final, fails))
    return (
        select(TestResult.test_case_id)
        .join(TestRun, TestRun.id == TestResult.run_id)
        .where(*runs)
        .group_by(TestResult.test_case_id)
        .having(and_(passed > 0, or_(failed > 0, failed_before > 0)))
    )


def _verdicts(runs: Sequence[ColumnElement[bool]]) -> Subquery:
    """One row for each time that a candidate ran: whether it passed in the end, and by retry."""
    candidates = once(_candidates(runs))
    place = (TestRun.started_at, TestRun.branch, TestRun.environment_id)
    key = (TestResult.test_case_id, TestResult.run_id, TestResult.occurrence)
    ran = _any(and_(TestResult.is_final, TestResult.status != "skipped"))
    passed = _any(and_(TestResult.is_final, TestResult.status == "passed"))
    failed_before = _any(and_(~TestResult.is_final, TestResult.status.in_(DID_NOT_PASS)))
    return (
        select(*key, *place, passed.label("passed"), failed_before.label("failed_before"))
        .join(TestRun, TestRun.id == TestResult.run_id)
        .where(*runs, TestResult.test_case_id.in_(select(candidates.c.test_case_id)))
        .group_by(*key, *place)
        .having(ran == 1)
        .subquery()
    )


def _in_order(verdicts: Subquery) -> Subquery:
    """The same with the verdict before it in the same place."""
    row = verdicts.c
    before = func.lag(row.passed).over(
        partition_by=(row.test_case_id, row.occurrence, row.branch, row.environment_id),
        order_by=(row.started_at, row.run_id),
    )
    return select(
        row.test_case_id, row.passed, row.failed_before, before.label("before")
    ).subquery()


def _counted(steps: Subquery) -> Subquery:
    row = steps.c
    flips = _count(row.before != row.passed)
    rescued = _count(and_(row.passed == 1, row.failed_before == 1))
    return (
        select(
            row.test_case_id,
            func.count().label("runs"),
            _count(row.passed == 1).label("passed"),
            rescued.label("rescued"),
            flips.label("flips"),
            func.count(row.before).label("steps"),
        )
        .group_by(row.test_case_id)
        .having(or_(flips > 0, rescued > 0))
        .subquery()
    )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _any(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.max(case((condition, 1), else_=0))
