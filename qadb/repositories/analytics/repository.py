"""The cross-table figures that ``qadb stats`` shows.

Each figure of one aggregate is asked of that aggregate's repository; only what belongs to none is
queried here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from qadb.models import TestRun
from qadb.repositories.agents.executions import AgentExecutionRepository, ToolExecutionRepository
from qadb.repositories.analytics.overviews import (
    AgentFigures,
    BugFigures,
    CoverageFigures,
    PerformanceFigures,
    RunFigures,
    ToolFigures,
)
from qadb.repositories.bugs import BugRepository
from qadb.repositories.generic.periods import period_start
from qadb.repositories.performance.repository import PerformanceRepository
from qadb.repositories.quality.coverage import CoverageRepository
from qadb.repositories.quality.security import SecurityRepository
from qadb.repositories.test_results import TestResultRepository

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from qadb.repositories.figures.failing_tests import FailingTest
    from qadb.repositories.figures.failure_groups import FailureGroup
    from qadb.repositories.figures.flaky_tests import FlakyTest
    from qadb.repositories.figures.results import ResultFigures
    from qadb.repositories.figures.slow_tests import SlowTest
    from qadb.repositories.performance.slas import SlaCheck


class AnalyticsRepository:
    """The figures of ``qadb stats``: those of the last days, as far as the session sees them.

    What a method lists has a limit; 0 lists nothing.

    Args:
        session: reads only.
        days: length of the period.
        now: what it is counted back from, aware; the present by default.

    Raises:
        ValueError: the period makes no sense.
    """

    def __init__(self, session: Session, days: int = 30, *, now: datetime | None = None) -> None:
        self._session = session
        self._days = days
        self._now = datetime.now(UTC) if now is None else now
        self._results = TestResultRepository(session)
        self.since = period_start(days, self._now)

    def runs(self) -> RunFigures:
        """Count the period's runs."""
        in_period = TestRun.started_at >= self.since
        query = select(
            func.count(case((in_period, 1))),
            func.count(case((in_period & (TestRun.result == "success"), 1))),
            func.count(case((in_period & TestRun.result.in_(("failure", "error", "timeout")), 1))),
            func.max(TestRun.started_at),
        )
        total, successful, failed, newest = self._session.execute(query).one()
        return RunFigures(total, successful, failed, newest)

    def results(self) -> ResultFigures:
        """Count the period's final attempts by status."""
        return self._results.get_statistics(days=self._days, now=self._now)

    def slowest(self, limit: int) -> tuple[SlowTest, ...]:
        """Tests with the highest mean time of their final attempts that ran."""
        return self._results.slowest(self._days, limit, now=self._now) if limit else ()

    def flaky(self, limit: int) -> tuple[FlakyTest, ...]:
        """Tests whose verdict says little about the code; see `TestResultRepository.flaky`."""
        return self._results.flaky(self._days, limit, now=self._now) if limit else ()

    def failures(self, limit: int) -> tuple[FailureGroup, ...]:
        """Failures that have their signature in common."""
        if not limit:
            return ()
        return self._results.failures_by_signature(self._days, limit, now=self._now)

    def most_failing(self, limit: int) -> tuple[FailingTest, ...]:
        """Tests with the most failures among their final attempts that ran."""
        return self._results.most_failing(self._days, limit, now=self._now) if limit else ()

    def coverage(self) -> CoverageFigures:
        """What is covered now, and what was day by day."""
        coverage = CoverageRepository(self._session)
        return CoverageFigures(
            newest=coverage.get_aggregate_coverage(days=self._days, now=self._now),
            trend=coverage.get_coverage_trend(self._days, now=self._now),
        )

    def bugs(self) -> BugFigures:
        """What is open, whenever it was reported, and how long the period's resolved ones took."""
        bugs = BugRepository(self._session)
        return BugFigures(
            open=bugs.open_by_severity(),
            mean_time_to_resolve=bugs.mean_time_to_resolve(self._days, now=self._now),
        )

    def open_security_issues(self) -> dict[str, int]:
        """Every severity with what is open or triaged, whenever it was found."""
        return SecurityRepository(self._session).open_by_severity()

    def performance(self, limit: int) -> PerformanceFigures:
        """The active SLAs against the period's measurements; those missed are listed first."""
        checks = PerformanceRepository(self._session).against_sla(days=self._days, now=self._now)
        listed = sorted(checks, key=_urgency)
        return PerformanceFigures(
            met=sum(check.is_met is True for check in checks),
            violated=sum(check.is_met is False for check in checks),
            unmeasured=sum(check.is_met is None for check in checks),
            slas=tuple(listed[:limit]),
        )

    def agents(self, limit: int) -> AgentFigures:
        """What agents did in the period, the busiest listed first."""
        usage = AgentExecutionRepository(self._session).usage(self._days, now=self._now)
        return AgentFigures(
            executions=sum(agent.executions for agent in usage),
            completed=sum(agent.completed for agent in usage),
            failed=sum(agent.failed for agent in usage),
            running=sum(agent.running for agent in usage),
            tokens_used=sum(agent.tokens_used for agent in usage),
            by_agent=usage[:limit],
        )

    def tools(self, limit: int) -> ToolFigures:
        """How tools were called in the period, the busiest listed first."""
        usage = ToolExecutionRepository(self._session).usage(self._days, now=self._now)
        return ToolFigures(
            calls=sum(tool.calls for tool in usage),
            succeeded=sum(tool.succeeded for tool in usage),
            failed=sum(tool.failed for tool in usage),
            running=sum(tool.running for tool in usage),
            by_tool=usage[:limit],
        )


def _urgency(check: SlaCheck) -> int:
    """Missed, then met, then never measured; a stable sort keeps the rest of the order."""
    return {False: 0, True: 1, None: 2}[check.is_met]
