"""Figures that are shown together, over a period: of runs, results and tests, and room by room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from qadb.repositories.agents import AgentUsage, ToolUsage
    from qadb.repositories.coverage import AggregateCoverage, CoveragePoint
    from qadb.repositories.performance_slas import SlaCheck

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


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """Coverage that was collected in the period.

    Attributes:
        newest: the newest run of each application, summed up.
        trend: the same for each day that has any, the oldest first.
    """

    newest: AggregateCoverage
    trend: tuple[CoveragePoint, ...]


@dataclass(frozen=True, slots=True)
class BugFigures:
    """Bugs that are open, and how long those took that were resolved in the period.

    Attributes:
        open: every severity with its count, the most severe first.
        mean_time_to_resolve: None when none was resolved.
    """

    open: Mapping[str, int]
    mean_time_to_resolve: timedelta | None


@dataclass(frozen=True, slots=True)
class PerformanceFigures:
    """Active SLAs by what the period's runs measured, and the most urgent ones."""

    met: int
    violated: int
    unmeasured: int
    slas: tuple[SlaCheck, ...]


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """Executions of all agents that began in the period, and the busiest agents."""

    executions: int
    completed: int
    failed: int
    running: int
    tokens_used: int
    by_agent: tuple[AgentUsage, ...]


@dataclass(frozen=True, slots=True)
class ToolFigures:
    """Calls of all tools that began in the period, and the busiest tools."""

    calls: int
    succeeded: int
    failed: int
    running: int
    by_tool: tuple[ToolUsage, ...]
