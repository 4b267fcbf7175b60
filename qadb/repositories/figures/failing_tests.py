"""Failing tests: those that fail most often; see `TestResultRepository.most_failing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, func

from qadb.models import TestResult, TestRun
from qadb.repositories.figures.by_case import by_case, first_cases
from qadb.repositories.figures.results import DID_NOT_PASS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class FailingTest:
    """A test with how often it failed among its final attempts that ran.

    Attributes:
        last_failed_at: when the newest run started in which it failed.
    """

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


def find_failing_tests(
    session: Session, runs: Sequence[ColumnElement[bool]], limit: int
) -> tuple[FailingTest, ...]:
    """Find them in the runs that meet the conditions."""
    fails = TestResult.status.in_(DID_NOT_PASS)
    failures = func.count(case((fails, 1)))
    failing = (
        by_case(runs)
        .add_columns(
            func.count().label("runs"),
            failures.label("failures"),
            func.max(case((fails, TestRun.started_at))).label("last_failed_at"),
        )
        .having(failures > 0)
        .subquery()
    )
    query = first_cases(failing, [failing.c.failures.desc()], limit)
    return tuple(
        FailingTest(
            row.id, row.name, row.suite, row.classname,
            row.runs, row.failures, row.last_failed_at,
        )
        for row in session.execute(query)
    )  # fmt: skip
