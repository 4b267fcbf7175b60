"""Totals of a run: how its final attempts ended, and the result that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.models import TestRun
from qadb.repositories.figures.results import count_results

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
    counted = count_results(session, [TestRun.id == run_id])
    return Totals(
        total=counted.total,
        passed=counted.passed,
        failed=counted.failed,
        errors=counted.errors + counted.timeout,
        skipped=counted.skipped,
    )
