"""Figures over a period: how runs and results went, which tests are slow, which fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

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
