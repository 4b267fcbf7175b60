"""How big the database is and how good the results are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.repositories.analytics.repository import AnalyticsRepository
from qadb.repositories.tenants import require_tenant
from qadb.revisions.state import require_current

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from qadb.backends.values import TableSize
    from qadb.database import Database
    from qadb.repositories.analytics.overviews import (
        AgentFigures,
        BugFigures,
        CoverageFigures,
        PerformanceFigures,
        RunFigures,
        ToolFigures,
    )
    from qadb.repositories.figures.failing_tests import FailingTest
    from qadb.repositories.figures.failure_groups import FailureGroup
    from qadb.repositories.figures.flaky_tests import FlakyTest
    from qadb.repositories.figures.results import ResultFigures
    from qadb.repositories.figures.slow_tests import SlowTest
    from qadb.sessions.unit import UnitOfWork

DEFAULT_DAYS = 30
DEFAULT_TOP = 10


@dataclass(frozen=True, slots=True)
class StatsResult:
    """Everything ``stats`` shows.

    Attributes:
        days: length of the period; sizes are of the whole database.
        top: how many entries each list has at most.
        since: beginning of the period, UTC.
        tenant: the tenant that all but the sizes is confined to; None is all of them.
        failures: failures that have their signature in common.
        security: every severity with its open issues, critical first.
    """

    days: int
    top: int
    since: datetime
    tenant: str | None
    size_bytes: int
    tables: tuple[TableSize, ...]
    runs: RunFigures
    results: ResultFigures
    slowest: tuple[SlowTest, ...]
    most_failing: tuple[FailingTest, ...]
    flaky: tuple[FlakyTest, ...]
    failures: tuple[FailureGroup, ...]
    coverage: CoverageFigures
    bugs: BugFigures
    security: Mapping[str, int]
    performance: PerformanceFigures
    agents: AgentFigures
    tools: ToolFigures


def read_stats(
    database: Database,
    *,
    days: int = DEFAULT_DAYS,
    top: int = DEFAULT_TOP,
    exact: bool = False,
    tenant: str | None = None,
    now: datetime | None = None,
) -> StatsResult:
    """Measure the tables and sum up what the last ``days`` days brought.

    Args:
        database: is read in one transaction, which sees one moment; the replica if there is one.
        days: length of the period.
        top: how many entries each list has.
        exact: count large tables instead of taking the server's estimate.
        tenant: confine all but the sizes to one tenant.
        now: what the period is counted back from; the present moment by default. Runs dated after
            it are in the period too: clocks differ, and times without a zone are read as UTC.

    Raises:
        EmptyDatabase, UnmanagedDatabase, RevisionMismatch: the database is not at head.
    """
    with database.session(tenant=tenant, all_tenants=tenant is None, read_only=True) as unit:
        size_bytes, tables = _sizes(database, unit, exact=exact)
        analytics = AnalyticsRepository(unit, days, now=now)
        return StatsResult(
            days=days,
            top=top,
            since=analytics.since,
            tenant=tenant,
            size_bytes=size_bytes,
            tables=tables,
            runs=analytics.runs(),
            results=analytics.results(),
            slowest=analytics.slowest(top),
            most_failing=analytics.most_failing(top),
            flaky=analytics.flaky(top),
            failures=analytics.failures(top),
            coverage=analytics.coverage(),
            bugs=analytics.bugs(),
            security=analytics.open_security_issues(),
            performance=analytics.performance(top),
            agents=analytics.agents(top),
            tools=analytics.tools(top),
        )


def _sizes(
    database: Database, unit: UnitOfWork, *, exact: bool
) -> tuple[int, tuple[TableSize, ...]]:
    """Check that the database is at head and has the tenant, and measure it."""
    connection = unit.own_connection()
    with unit.unguarded():  # catalogs know no tenants
        database.learn_server_version(connection)
        require_current(database, connection)
        if unit.tenant is not None:
            require_tenant(connection, unit.tenant)
        sizes = unit.backend.sizes
        names = sorted(database.schema.metadata.tables)
        return sizes.database_size(connection), sizes.table_sizes(connection, names, exact=exact)
