"""Totals of a run: how its final attempts ended, and the result that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from qadb.models import TestResult

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Totals:
    """Final verdicts; they add up to ``total``. Timeouts count as errors."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0

    @property
    def result(self) -> str | None:
        """What a run with these is: failures weigh more than errors; None without any tests."""
        if self.failed:
            return "failure"
        if self.errors:
            return "error"
        return "success" if self.total else None

    def plus(self, other: Totals) -> Totals:
        """Add up two."""
        return Totals(
            total=self.total + other.total,
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            errors=self.errors + other.errors,
            skipped=self.skipped + other.skipped,
        )


def count_verdicts(session: Session, run_id: int) -> Totals:
    """Count the final attempts that a run holds."""
    query = (
        select(TestResult.status, func.count())
        .where(TestResult.run_id == run_id, TestResult.is_final)
        .group_by(TestResult.status)
    )
    counts = {status: int(count) for status, count in session.execute(query)}
    return Totals(
        total=sum(counts.values()),
        passed=counts.get("passed", 0),
        failed=counts.get("failed", 0),
        errors=counts.get("error", 0) + counts.get("timeout", 0),
        skipped=counts.get("skipped", 0),
    )
