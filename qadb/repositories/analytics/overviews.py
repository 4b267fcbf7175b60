"""Figures that are shown together, over a period, room by room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from qadb.repositories.agents.executions import AgentUsage, ToolUsage
    from qadb.repositories.performance.slas import SlaCheck
    from qadb.repositories.quality.coverage import AggregateCoverage, CoveragePoint


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
