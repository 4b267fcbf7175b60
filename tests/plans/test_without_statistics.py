"""Right after a load, when PostgreSQL knows nothing of the tables: no figure is worked out twice.

A part of a query that was worked out for each row of another took a minute, not a second.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from qadb.models import TestRun
from qadb.operations.demo import init_demo
from qadb.operations.stats import read_stats
from qadb.repositories.test_runs import TestRunRepository
from tests.plans.explaining import collecting
from tests.support.databases import execute, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.database import Database

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)

pytestmark = pytest.mark.postgresql


@pytest.fixture
def unknown(postgresql_url: str) -> Iterator[Database]:
    """The demo, of which the planner knows nothing."""
    with open_database(postgresql_url) as database:
        init_demo(database, now=NOW)
        execute(database, "DELETE FROM pg_statistic WHERE starelid > 16383")
        execute(database, "UPDATE pg_class SET reltuples = -1 WHERE oid > 16383")
        yield database


@pytest.mark.parametrize("tenant", ["qadb-demo", None])
def test_figures_are_worked_out_once(unknown: Database, tenant: str | None) -> None:
    with collecting(unknown) as sent:
        read_stats(unknown, tenant=tenant, now=NOW)
        with unknown.session(tenant=tenant, all_tenants=tenant is None, read_only=True) as unit:
            runs = TestRunRepository(unit)
            last = unit.scalars(select(TestRun.id).order_by(TestRun.started_at.desc()).limit(2))
            runs.compare(*last)

    figures = [each for each in sent if "GROUP BY" in each.statement]
    assert len(figures) > 4
    with unknown.connect() as connection:
        unknown.backend.context.set_context(connection, tenant=tenant, actor=None)
        for each in figures:
            query = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {each.statement}"
            plan = connection.exec_driver_sql(query, each.parameters).scalar_one()[0]["Plan"]
            assert max(aggregations(plan)) == 1, each.statement


def aggregations(node: dict[str, Any]) -> Iterator[int]:
    """How often each grouping of a table's rows was done."""
    children: list[dict[str, Any]] = node.get("Plans", [])
    is_of_kept_rows = any(child["Node Type"] == "CTE Scan" for child in children)
    if node["Node Type"] in ("Aggregate", "WindowAgg") and not is_of_kept_rows:
        yield int(node["Actual Loops"])
    for child in children:
        yield from aggregations(child)
