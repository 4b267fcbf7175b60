"""How results ended: what counts as a failure, and how many there are of each status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from qadb.models import TestResult, TestRun
from qadb.repositories.generic.rounding import fraction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

DID_NOT_PASS = ("failed", "error", "timeout")


@dataclass(frozen=True, slots=True)
class ResultFigures:
    """Final attempts of some runs by their status.

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
        return fraction(self.passed, self.total - self.skipped)


def count_results(session: Session, runs: Sequence[ColumnElement[bool]]) -> ResultFigures:
    """Count the final attempts of the runs that meet the conditions."""
    query = (
        select(TestResult.status, func.count())
        .join(TestRun, TestRun.id == TestResult.run_id)
        .where(*runs, TestResult.is_final)
        .group_by(TestResult.status)
    )
    counts = {status: int(count) for status, count in session.execute(query)}
    return ResultFigures(
        total=sum(counts.values()),
        passed=counts.get("passed", 0),
        failed=counts.get("failed", 0),
        errors=counts.get("error", 0),
        skipped=counts.get("skipped", 0),
        timeout=counts.get("timeout", 0),
    )
