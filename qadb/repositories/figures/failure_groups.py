"""Failures that are the same by their signature, with one of them as the example.

What is grouped is said at `TestResultRepository.failures_by_signature`. Messages are read for the
examples alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, select

from qadb.models import TestResult, TestRun
from qadb.repositories.figures.results import DID_NOT_PASS
from qadb.repositories.generic.filters import column_of
from qadb.repositories.generic.once import once

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import CTE, ColumnElement, Subquery
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.base import ColumnCollection

_KEY = ("run_id", "test_case_id", "occurrence", "attempt")


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of one signature over the period.

    Attributes:
        failures: how many final attempts ended so.
        tests: of how many different tests.
        first_seen_at: when the first of them was executed, or else its run started.
        last_seen_at: the same of the last.
        error_type: of the example, a failure in the newest run that has one.
        message: of the same.
    """

    signature: str
    failures: int
    tests: int
    first_seen_at: datetime
    last_seen_at: datetime
    error_type: str | None
    message: str | None


def find_failure_groups(
    session: Session, runs: Sequence[ColumnElement[bool]], limit: int
) -> tuple[FailureGroup, ...]:
    """Group the runs that meet the conditions; see `TestResultRepository.failures_by_signature`."""
    group = _grouped(_failures(runs), limit)
    query = (
        select(
            group.c.signature, group.c.failures, group.c.tests,
            group.c.first_seen_at, group.c.last_seen_at,
            TestResult.error_type, TestResult.message,
        )
        .join(
            TestResult,
            and_(*(column_of(TestResult, name) == group.c[name] for name in _KEY)),
        )
        .order_by(*_most_first(group.c))
    )  # fmt: skip
    return tuple(FailureGroup(*row) for row in session.execute(query))


def _failures(runs: Sequence[ColumnElement[bool]]) -> Subquery:
    """Every failure with its place in its group; the first one is the example."""
    place = func.row_number().over(
        partition_by=TestResult.signature,
        order_by=(
            TestResult.run_id.desc(),
            TestResult.test_case_id,
            TestResult.occurrence,
            TestResult.attempt,
        ),
    )
    return (
        select(
            TestResult.signature,
            *(column_of(TestResult, name) for name in _KEY),
            func.coalesce(TestResult.executed_at, TestRun.started_at).label("seen_at"),
            place.label("place"),
        )
        .join(TestRun, TestRun.id == TestResult.run_id)
        .where(
            *runs,
            TestResult.is_final,
            TestResult.status.in_(DID_NOT_PASS),
            TestResult.signature.is_not(None),
        )
        .subquery()
    )


def _grouped(failures: Subquery, limit: int) -> CTE:
    row = failures.c

    def of_example(column: ColumnElement[int]) -> ColumnElement[int]:
        return func.max(case((row.place == 1, column)))

    query = select(
        row.signature,
        func.count().label("failures"),
        func.count(row.test_case_id.distinct()).label("tests"),
        func.min(row.seen_at).label("first_seen_at"),
        func.max(row.seen_at).label("last_seen_at"),
        *(of_example(row[name]).label(name) for name in _KEY),
    ).group_by(row.signature)
    columns = query.selected_columns
    return once(query.order_by(*_most_first(columns)).limit(limit))


def _most_first(
    group: ColumnCollection[str, ColumnElement[Any]],
) -> list[ColumnElement[object]]:
    """The order of groups; the example's key settles ties, as texts sort by the server's locale."""
    descending = [group[name].desc() for name in ("failures", "last_seen_at", "run_id")]
    return [*descending, *(group[name] for name in _KEY[1:])]
