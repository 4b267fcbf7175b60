"""The cross-table figures that ``qadb stats`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from qadb.models import TestCase, TestResult, TestRun
from qadb.repositories.figures import (
    DID_NOT_PASS,
    FailingTest,
    ResultFigures,
    RunFigures,
    SlowTest,
)
from qadb.repositories.periods import period_start

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session


class AnalyticsRepository:
    """Figures over the last days' runs, as far as the session sees them.

    Args:
        session: reads only.
        days: length of the period.
        now: what it is counted back from, aware; the present by default.

    Raises:
        ValueError: the period makes no sense.
    """

    def __init__(self, session: Session, days: int = 30, *, now: datetime | None = None) -> None:
        self._session = session
        self.since = period_start(days, now)

    def runs(self) -> RunFigures:
        """Count the period's runs."""
        in_period = self._in_period()
        query = select(
            func.count(case((in_period, 1))),
            func.count(case((in_period & (TestRun.result == "success"), 1))),
            func.count(case((in_period & TestRun.result.in_(("failure", "error", "timeout")), 1))),
            func.max(TestRun.started_at),
        )
        total, successful, failed, newest = self._session.execute(query).one()
        return RunFigures(total, successful, failed, newest)

    def results(self) -> ResultFigures:
        """Count the period's final attempts by status."""
        query = (
            select(TestResult.status, func.count())
            .join(TestRun, TestRun.id == TestResult.run_id)
            .where(self._in_period(), TestResult.is_final)
            .group_by(TestResult.status)
        )
        counts = {status: int(n) for status, n in self._session.execute(query)}
        return ResultFigures(
            total=sum(counts.values()),
            passed=counts.get("passed", 0),
            failed=counts.get("failed", 0),
            errors=counts.get("error", 0),
            skipped=counts.get("skipped", 0),
            timeout=counts.get("timeout", 0),
        )

    def slowest(self, limit: int) -> tuple[SlowTest, ...]:
        """Tests with the highest mean time of their final attempts that ran."""
        total_ms = func.sum(TestResult.duration_ms)
        runs = func.count(TestResult.duration_ms)
        per_case = (
            select(
                TestResult.test_case_id,
                runs.label("runs"),
                total_ms.label("total_ms"),
                func.max(TestResult.duration_ms).label("max_ms"),
            )
            .join(TestRun, TestRun.id == TestResult.run_id)
            .where(
                self._in_period(),
                TestResult.is_final,
                TestResult.status != "skipped",
                TestResult.duration_ms.is_not(None),
            )
            .group_by(TestResult.test_case_id)
            .order_by(
                (func.sum(TestResult.duration_ms) * 1.0 / runs).desc(), TestResult.test_case_id
            )
            .limit(limit)
            .subquery()
        )
        query = select(
            TestCase.id, TestCase.name, TestCase.suite, TestCase.classname,
            per_case.c.runs, per_case.c.total_ms, per_case.c.max_ms,
        ).join(per_case, per_case.c.test_case_id == TestCase.id)  # fmt: skip
        found = [
            SlowTest(
                row.id, row.name, row.suite, row.classname, row.runs,
                mean_ms=_milliseconds(row.total_ms / row.runs),
                max_ms=_milliseconds(row.max_ms),
                total_ms=_milliseconds(row.total_ms),
            )
            for row in self._session.execute(query)
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda test: (-test.mean_ms, test.test_case_id)))

    def most_failing(self, limit: int) -> tuple[FailingTest, ...]:
        """Tests with the most failures among their final attempts."""
        failures = func.count(case((TestResult.status.in_(DID_NOT_PASS), 1)))
        failed_at = case((TestResult.status.in_(DID_NOT_PASS), TestRun.started_at))
        per_case = (
            select(
                TestResult.test_case_id,
                func.count().label("runs"),
                failures.label("failures"),
                func.max(failed_at).label("last_failed_at"),
            )
            .join(TestRun, TestRun.id == TestResult.run_id)
            .where(self._in_period(), TestResult.is_final, TestResult.status != "skipped")
            .group_by(TestResult.test_case_id)
            .having(failures > 0)
            .order_by(failures.desc(), TestResult.test_case_id)
            .limit(limit)
            .subquery()
        )
        query = (
            select(
                TestCase.id, TestCase.name, TestCase.suite, TestCase.classname,
                per_case.c.runs, per_case.c.failures, per_case.c.last_failed_at,
            )
            .join(per_case, per_case.c.test_case_id == TestCase.id)
            .order_by(per_case.c.failures.desc(), TestCase.id)
        )  # fmt: skip
        return tuple(
            FailingTest(
                row.id, row.name, row.suite, row.classname,
                row.runs, row.failures, row.last_failed_at,
            )
            for row in self._session.execute(query)
        )  # fmt: skip

    def _in_period(self) -> ColumnElement[bool]:
        return TestRun.started_at >= self.since


def _milliseconds(value: Decimal) -> float:
    return round(float(value), 3)
