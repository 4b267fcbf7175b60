"""Flaky tests: whose verdict changes although nothing that they depend on did.

What that means is said at `TestResultRepository.flaky`. Only results of tests that failed at all
are put in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Integer, case, cast, exists, func, literal, null, or_, select, union_all
from sqlalchemy.orm import aliased

from qadb.models import TestResult, TestRun
from qadb.repositories.figures.by_case import first_cases
from qadb.repositories.figures.results import DID_NOT_PASS
from qadb.repositories.generic.rounding import fraction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select, Subquery
    from sqlalchemy.orm import Session

_NOTHING = cast(null(), Integer)


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
    counted = _counted(_steps(_verdicts(runs)), _rescues(runs))
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


def _failing(runs: Sequence[ColumnElement[bool]]) -> Select[int]:
    """Tests with an attempt that failed: no others flip or pass on retry."""
    return (
        select(TestResult.test_case_id)
        .join(TestRun, TestRun.id == TestResult.run_id)
        .where(*runs, TestResult.status.in_(DID_NOT_PASS))
    )


def _verdicts(runs: Sequence[ColumnElement[bool]]) -> Subquery:
    """One row for each time that a test which fails at times ran: whether it passed in the end."""
    passed = case((TestResult.status == "passed", 1), else_=0)
    return (
        select(
            TestResult.test_case_id,
            TestResult.occurrence,
            TestResult.run_id,
            TestRun.started_at,
            TestRun.branch,
            TestRun.environment_id,
            passed.label("passed"),
        )
        .join(TestRun, TestRun.id == TestResult.run_id)
        .where(
            *runs,
            TestResult.is_final,
            TestResult.status != "skipped",
            TestResult.test_case_id.in_(_failing(runs)),
        )
        .subquery()
    )


def _steps(verdicts: Subquery) -> Select[*tuple[object, ...]]:
    """The same with the verdict before it in the same place."""
    row = verdicts.c
    before = func.lag(row.passed).over(
        partition_by=(row.test_case_id, row.occurrence, row.branch, row.environment_id),
        order_by=(row.started_at, row.run_id),
    )
    return select(row.test_case_id, row.passed, before.label("before"), _NOTHING.label("rescued"))


def _rescues(runs: Sequence[ColumnElement[bool]]) -> Select[*tuple[object, ...]]:
    """One row for each time that a test passed in the end where an attempt before had failed."""
    key = (TestResult.run_id, TestResult.test_case_id, TestResult.occurrence)
    last = aliased(TestResult)
    passed = exists().where(
        *(getattr(last, column.key) == column for column in key),
        last.is_final,
        last.status == "passed",
    )
    failed = (
        select(*key)
        .join(TestRun, TestRun.id == TestResult.run_id)
        .where(*runs, ~TestResult.is_final, TestResult.status.in_(DID_NOT_PASS), passed)
        .distinct()
        .subquery()
    )
    return select(failed.c.test_case_id, _NOTHING, _NOTHING, literal(1))


def _counted(steps: Select[*tuple[object, ...]], rescues: Select[*tuple[object, ...]]) -> Subquery:
    row = union_all(steps, rescues).subquery().c
    flips = _count(row.before != row.passed)
    rescued = func.count(row.rescued)
    return (
        select(
            row.test_case_id,
            func.count(row.passed).label("runs"),
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
