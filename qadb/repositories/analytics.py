"""The cross-table figures that ``qadb stats`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from qadb.models import TestCase, TestResult, TestRun
from qadb.repositories.tables import table_of

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy import ColumnElement, Connection

RUNS = table_of(TestRun)
RESULTS = table_of(TestResult)
CASES = table_of(TestCase)

DID_NOT_PASS = ("failed", "error", "timeout")


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Runs that started in the period, by their result.

    Attributes:
        newest_started_at: start of the newest run of all, in the period or not.
    """

    total: int
    successful: int
    failed: int
    newest_started_at: datetime | None


@dataclass(frozen=True, slots=True)
class ResultFigures:
    """Final attempts of runs that started in the period.

    Attributes:
        errors: those that ended in an error, timeouts not included.
        pass_rate: passed over all that ran (skipped ones did not), 0 to 1; None when nothing ran.
    """

    total: int
    passed: int
    failed: int
    errors: int
    skipped: int
    timeout: int

    @property
    def pass_rate(self) -> float | None:
        """Share of passed among those that ran."""
        ran = self.total - self.skipped
        return round(self.passed / ran, 6) if ran else None


@dataclass(frozen=True, slots=True)
class SlowTest:
    """A test with its times over the period, in milliseconds."""

    test_case_id: int
    name: str
    suite: str | None
    classname: str | None
    runs: int
    mean_ms: float
    max_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class FailingTest:
    """A test with how often it failed among its final attempts that ran."""

    test_case_id: int
    name: str
    suite: str | None
    classname: str | None
    runs: int
    failures: int
    last_failed_at: datetime | None

    @property
    def failure_rate(self) -> float:
        """Share of failures among those that ran, 0 to 1."""
        return round(self.failures / self.runs, 6)


class AnalyticsRepository:
    """Figures over runs that started at or after a moment, of one tenant or of all.

    Args:
        connection: reads only.
        since: beginning of the period, aware.
        tenant_id: None takes all tenants together.
    """

    def __init__(self, connection: Connection, since: datetime, tenant_id: str | None) -> None:
        self._connection = connection
        self._since = since
        self._tenant_id = tenant_id

    def runs(self) -> RunFigures:
        """Count the period's runs."""
        in_period = RUNS.c.started_at >= self._since
        query = select(
            func.count(case((in_period, 1))),
            func.count(case((in_period & (RUNS.c.result == "success"), 1))),
            func.count(case((in_period & RUNS.c.result.in_(("failure", "error", "timeout")), 1))),
            func.max(RUNS.c.started_at),
        ).where(*self._of_tenant())
        total, successful, failed, newest = self._connection.execute(query).one()
        return RunFigures(total, successful, failed, newest)

    def results(self) -> ResultFigures:
        """Count the period's final attempts by status."""
        query = (
            select(RESULTS.c.status, func.count())
            .join(RUNS, RUNS.c.id == RESULTS.c.run_id)
            .where(*self._in_period(), RESULTS.c.is_final)
            .group_by(RESULTS.c.status)
        )
        counts = {status: int(n) for status, n in self._connection.execute(query)}
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
        total_ms = func.sum(RESULTS.c.duration_ms)
        runs = func.count(RESULTS.c.duration_ms)
        per_case = (
            select(
                RESULTS.c.test_case_id,
                runs.label("runs"),
                total_ms.label("total_ms"),
                func.max(RESULTS.c.duration_ms).label("max_ms"),
            )
            .join(RUNS, RUNS.c.id == RESULTS.c.run_id)
            .where(
                *self._in_period(),
                RESULTS.c.is_final,
                RESULTS.c.status != "skipped",
                RESULTS.c.duration_ms.is_not(None),
            )
            .group_by(RESULTS.c.test_case_id)
            .order_by((func.sum(RESULTS.c.duration_ms) * 1.0 / runs).desc(), RESULTS.c.test_case_id)
            .limit(limit)
            .subquery()
        )
        query = select(
            CASES.c.id, CASES.c.name, CASES.c.suite, CASES.c.classname,
            per_case.c.runs, per_case.c.total_ms, per_case.c.max_ms,
        ).join(per_case, per_case.c.test_case_id == CASES.c.id)  # fmt: skip
        found = [
            SlowTest(
                row.id, row.name, row.suite, row.classname, row.runs,
                mean_ms=_milliseconds(row.total_ms / row.runs),
                max_ms=_milliseconds(row.max_ms),
                total_ms=_milliseconds(row.total_ms),
            )
            for row in self._connection.execute(query)
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda test: (-test.mean_ms, test.test_case_id)))

    def most_failing(self, limit: int) -> tuple[FailingTest, ...]:
        """Tests with the most failures among their final attempts."""
        failures = func.count(case((RESULTS.c.status.in_(DID_NOT_PASS), 1)))
        failed_at = case((RESULTS.c.status.in_(DID_NOT_PASS), RUNS.c.started_at))
        per_case = (
            select(
                RESULTS.c.test_case_id,
                func.count().label("runs"),
                failures.label("failures"),
                func.max(failed_at).label("last_failed_at"),
            )
            .join(RUNS, RUNS.c.id == RESULTS.c.run_id)
            .where(*self._in_period(), RESULTS.c.is_final, RESULTS.c.status != "skipped")
            .group_by(RESULTS.c.test_case_id)
            .having(failures > 0)
            .order_by(failures.desc(), RESULTS.c.test_case_id)
            .limit(limit)
            .subquery()
        )
        query = (
            select(
                CASES.c.id, CASES.c.name, CASES.c.suite, CASES.c.classname,
                per_case.c.runs, per_case.c.failures, per_case.c.last_failed_at,
            )
            .join(per_case, per_case.c.test_case_id == CASES.c.id)
            .order_by(per_case.c.failures.desc(), CASES.c.id)
        )  # fmt: skip
        return tuple(
            FailingTest(
                row.id, row.name, row.suite, row.classname,
                row.runs, row.failures, row.last_failed_at,
            )
            for row in self._connection.execute(query)
        )  # fmt: skip

    def _in_period(self) -> list[ColumnElement[bool]]:
        return [*self._of_tenant(), RUNS.c.started_at >= self._since]

    def _of_tenant(self) -> list[ColumnElement[bool]]:
        return [] if self._tenant_id is None else [RUNS.c.tenant_id == self._tenant_id]


def _milliseconds(value: Decimal) -> float:
    return round(float(value), 3)
