"""Test results: figures over a period, a test's history, what fails and what is slow.

A period is that of the runs which started in it: results are reached from their runs, whose index
knows the time. Everything is added up in SQL. How flaky tests and equal failures are found lies in
`qadb.repositories.flaky_tests` and `qadb.repositories.failure_groups`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from qadb.models import TestCase, TestResult, TestRun
from qadb.repositories.base import Repository
from qadb.repositories.failure_groups import FailureGroup, find_failure_groups
from qadb.repositories.figures import ResultFigures, SlowTest
from qadb.repositories.filters import conditions
from qadb.repositories.flaky_tests import FlakyTest, find_flaky_tests
from qadb.repositories.ids import id_of
from qadb.repositories.limits import require_limit
from qadb.repositories.periods import period_start
from qadb.repositories.reading import PAGE_ROWS

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy import ColumnElement

    from qadb.models import Application
    from qadb.repositories.paging import Page

LISTED_TESTS = 20

_NEWEST_FIRST = ("-run_id", "-occurrence", "-attempt")  # run ids ascend with time


class TestResultRepository(Repository[TestResult]):
    """Results of tests in runs, one an attempt; figures count the final attempts."""

    model = TestResult
    __test__ = False  # the name is no test class's to pytest

    def get_statistics(
        self,
        *,
        run: TestRun | int | None = None,
        application: Application | int | None = None,
        days: int = 30,
        now: datetime | None = None,
    ) -> ResultFigures:
        """Count final attempts by status, with the share that passed.

        Args:
            run: of this one alone, whenever it was; itself or its key.
            application: of its runs alone, itself or its key.
            days: length of the period, where no run is named.
            now: its end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense.
        """
        if run is None:
            wanted = _runs_of_period(days, now, application)
        else:
            wanted = [TestRun.id == id_of(run), *_runs_of(application)]
        query = (
            select(TestResult.status, func.count())
            .join(TestRun, TestRun.id == TestResult.run_id)
            .where(*wanted, TestResult.is_final)
            .group_by(TestResult.status)
        )
        counts = {status: int(count) for status, count in self.session.execute(query)}
        return ResultFigures(
            total=sum(counts.values()),
            passed=counts.get("passed", 0),
            failed=counts.get("failed", 0),
            errors=counts.get("error", 0),
            skipped=counts.get("skipped", 0),
            timeout=counts.get("timeout", 0),
        )

    def flaky(
        self,
        days: int = 30,
        limit: int = LISTED_TESTS,
        *,
        application: Application | int | None = None,
        now: datetime | None = None,
    ) -> tuple[FlakyTest, ...]:
        """Return tests whose verdict says little about the code, those that flip most first.

        A test is flaky when it both passes and fails where nothing that it depends on differs.
        That is seen in two ways: its final verdict flips between passed and not from one run to
        the next on the same branch and environment, or it passes in a run after it failed there.
        Skipped results are passed over. A test that somebody broke or mended flips as well, but
        once: the number and the rate of flips tell them apart.

        Args:
            days: length of the period.
            limit: how many at most.
            application: in its runs alone, itself or its key.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense, or no rows are asked for.
        """
        wanted = _runs_of_period(days, now, application)
        return find_flaky_tests(self.session, wanted, require_limit(limit))

    def slowest(
        self,
        days: int = 30,
        limit: int = LISTED_TESTS,
        *,
        application: Application | int | None = None,
        now: datetime | None = None,
    ) -> tuple[SlowTest, ...]:
        """Return the tests with the highest mean time of their final attempts that ran.

        Args:
            days: length of the period.
            limit: how many at most.
            application: in its runs alone, itself or its key.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense, or no rows are asked for.
        """
        runs, total_ms = func.count(TestResult.duration_ms), func.sum(TestResult.duration_ms)
        timed = (
            select(
                TestResult.test_case_id,
                runs.label("runs"),
                total_ms.label("total_ms"),
                func.max(TestResult.duration_ms).label("max_ms"),
                (total_ms * 1.0 / runs).label("mean"),  # in the engine's unit: it only sorts
            )
            .join(TestRun, TestRun.id == TestResult.run_id)
            .where(
                *_runs_of_period(days, now, application),
                TestResult.is_final,
                TestResult.status != "skipped",
                TestResult.duration_ms.is_not(None),
            )
            .group_by(TestResult.test_case_id)
            .subquery()
        )
        query = (
            select(
                TestCase.id, TestCase.name, TestCase.suite, TestCase.classname,
                timed.c.runs, timed.c.total_ms, timed.c.max_ms,
            )
            .join(timed, timed.c.test_case_id == TestCase.id)
            .where(TestCase.deleted_at.is_(None))
            .order_by(timed.c.mean.desc(), TestCase.id)
            .limit(require_limit(limit))
        )  # fmt: skip
        return tuple(
            SlowTest(
                row.id, row.name, row.suite, row.classname, row.runs,
                mean_ms=_milliseconds(row.total_ms / row.runs),
                max_ms=_milliseconds(row.max_ms),
                total_ms=_milliseconds(row.total_ms),
            )
            for row in self.session.execute(query)
        )  # fmt: skip

    def history(
        self,
        case: TestCase | int,
        *criteria: ColumnElement[bool],
        after: str | None = None,
        limit: int = PAGE_ROWS,
        **filters: object,
    ) -> Page[TestResult]:
        """Return a page of a test's results with their runs, the newest run first.

        Every attempt is there; ``is_final=True`` leaves one verdict for each time it ran.

        Args:
            case: itself or its key.
            *criteria: SQLAlchemy conditions.
            after: the cursor of the page before.
            limit: how many at most.
            **filters: conditions by keyword, as in `list`.

        Raises:
            ValueError: an unknown name or operator, a cursor of another list, no rows asked for.
        """
        return self.page(
            TestResult.test_case_id == id_of(case),
            *criteria,
            *conditions(TestResult, filters),
            after=after,
            limit=require_limit(limit),
            order_by=_NEWEST_FIRST,
            with_=[joinedload(TestResult.run)],
        )

    def failures_by_signature(
        self,
        days: int = 30,
        limit: int = LISTED_TESTS,
        *,
        application: Application | int | None = None,
        now: datetime | None = None,
    ) -> tuple[FailureGroup, ...]:
        """Return the failures of final attempts by what they have in common, the most first.

        Failures without a signature are left out. Among equals the one seen last goes first.

        Args:
            days: length of the period.
            limit: how many at most.
            application: in its runs alone, itself or its key.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense, or no rows are asked for.
        """
        wanted = _runs_of_period(days, now, application)
        return find_failure_groups(self.session, wanted, require_limit(limit))


def _runs_of_period(
    days: int, now: datetime | None, application: Application | int | None
) -> list[ColumnElement[bool]]:
    return [TestRun.started_at >= period_start(days, now), *_runs_of(application)]


def _runs_of(application: Application | int | None) -> list[ColumnElement[bool]]:
    return [] if application is None else [TestRun.application_id == id_of(application)]


def _milliseconds(value: Decimal) -> float:
    return round(float(value), 3)
