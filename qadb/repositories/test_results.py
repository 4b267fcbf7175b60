"""Test results: figures over a period, a test's history, what fails and what is slow.

A period is that of the runs which started in it: results are reached from their runs, whose index
knows the time. How each figure is added up, in SQL, lies in `qadb.repositories.figures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import joinedload

from qadb.models import TestResult, TestRun
from qadb.repositories.figures.failing_tests import FailingTest, find_failing_tests
from qadb.repositories.figures.failure_groups import FailureGroup, find_failure_groups
from qadb.repositories.figures.flaky_tests import FlakyTest, find_flaky_tests
from qadb.repositories.figures.results import DID_NOT_PASS, ResultFigures, count_results
from qadb.repositories.figures.slow_tests import SlowTest, find_slow_tests
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.filters import conditions
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.limits import require_limit
from qadb.repositories.generic.periods import period_start
from qadb.repositories.generic.reading import PAGE_ROWS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from qadb.models import Application, TestCase
    from qadb.repositories.generic.paging import Page

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
        return count_results(self.session, wanted)

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
        wanted = _runs_of_period(days, now, application)
        return find_slow_tests(self.session, wanted, require_limit(limit))

    def most_failing(
        self,
        days: int = 30,
        limit: int = LISTED_TESTS,
        *,
        application: Application | int | None = None,
        now: datetime | None = None,
    ) -> tuple[FailingTest, ...]:
        """Return the tests with the most failures among their final attempts that ran.

        Args:
            days: length of the period.
            limit: how many at most.
            application: in its runs alone, itself or its key.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense, or no rows are asked for.
        """
        wanted = _runs_of_period(days, now, application)
        return find_failing_tests(self.session, wanted, require_limit(limit))

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
            limit=limit,
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

    def with_signature(
        self,
        signature: str,
        *criteria: ColumnElement[bool],
        after: str | None = None,
        limit: int = PAGE_ROWS,
        **filters: object,
    ) -> Page[TestResult]:
        """Return a page of one signature's failures with their runs and tests, the newest first.

        Every attempt is there; ``is_final=True`` leaves one verdict for each time a test ran.
        Results that do not say when they were executed come before those that do, by their runs.

        Args:
            signature: what the failures have in common.
            *criteria: SQLAlchemy conditions.
            after: the cursor of the page before.
            limit: how many at most.
            **filters: conditions by keyword, as in `list`.

        Raises:
            ValueError: an unknown name or operator, a cursor of another list, no rows asked for.
        """
        return self.page(
            TestResult.signature == signature,
            TestResult.status != "passed",  # as the index has it that knows their order
            TestResult.status.in_(DID_NOT_PASS),
            *criteria,
            *conditions(TestResult, filters),
            after=after,
            limit=limit,
            order_by="-executed_at",
            with_=[joinedload(TestResult.run), joinedload(TestResult.test_case)],
        )


def _runs_of_period(
    days: int, now: datetime | None, application: Application | int | None
) -> list[ColumnElement[bool]]:
    return [TestRun.started_at >= period_start(days, now), *_runs_of(application)]


def _runs_of(application: Application | int | None) -> list[ColumnElement[bool]]:
    return [] if application is None else [TestRun.application_id == id_of(application)]
