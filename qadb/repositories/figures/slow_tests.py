"""Slow tests: those with the highest mean time; see `TestResultRepository.slowest`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func

from qadb.models import TestResult
from qadb.repositories.figures.by_case import by_case, first_cases
from qadb.repositories.generic.rounding import milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session


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


def find_slow_tests(
    session: Session, runs: Sequence[ColumnElement[bool]], limit: int
) -> tuple[SlowTest, ...]:
    """Find them in the runs that meet the conditions."""
    count, total = func.count(TestResult.duration_ms), func.sum(TestResult.duration_ms)
    timed = (
        by_case(runs)
        .add_columns(
            count.label("runs"),
            total.label("total"),
            func.max(TestResult.duration_ms).label("longest"),
            (total * 1.0 / count).label("mean"),  # in the engine's unit: it only sorts
        )
        .where(TestResult.duration_ms.is_not(None))
        .subquery()
    )
    return tuple(
        SlowTest(
            row.id, row.name, row.suite, row.classname, row.runs,
            mean_ms=milliseconds(row.total / row.runs),
            max_ms=milliseconds(row.longest),
            total_ms=milliseconds(row.total),
        )
        for row in session.execute(first_cases(timed, [timed.c.mean.desc()], limit))
    )  # fmt: skip
