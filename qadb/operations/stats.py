"""How big the database is and how good the results are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.repositories.analytics import (
    AnalyticsRepository,
    FailingTest,
    ResultFigures,
    RunFigures,
    SlowTest,
)
from qadb.repositories.tenants import require_tenant
from qadb.revisions.state import require_current

if TYPE_CHECKING:
    from datetime import datetime

    from qadb.backends.values import TableSize
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

DEFAULT_DAYS = 30
DEFAULT_TOP = 10


@dataclass(frozen=True, slots=True)
class StatsResult:
    """Everything ``stats`` shows.

    Attributes:
        days: length of the period; sizes are of the whole database.
        since: beginning of the period, UTC.
        tenant: the tenant that runs and results are confined to; None is all of them.
    """

    days: int
    since: datetime
    tenant: str | None
    size_bytes: int
    tables: tuple[TableSize, ...]
    runs: RunFigures
    results: ResultFigures
    slowest: tuple[SlowTest, ...]
    most_failing: tuple[FailingTest, ...]


def read_stats(
    database: Database,
    *,
    days: int = DEFAULT_DAYS,
    top: int = DEFAULT_TOP,
    exact: bool = False,
    tenant: str | None = None,
    now: datetime | None = None,
) -> StatsResult:
    """Measure the tables and sum up the runs that started in the last ``days`` days.

    Args:
        database: is read in one transaction, which sees one moment; the replica if there is one.
        days: length of the period.
        top: how many tests each list names.
        exact: count large tables instead of taking the server's estimate.
        tenant: confine runs and results to one tenant.
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
            since=analytics.since,
            tenant=tenant,
            size_bytes=size_bytes,
            tables=tables,
            runs=analytics.runs(),
            results=analytics.results(),
            slowest=analytics.slowest(top),
            most_failing=analytics.most_failing(top),
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
