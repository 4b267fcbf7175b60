"""Stats beyond runs and results: each section of one tenant, and of all of them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from qadb.database import Database
from qadb.operations.stats import StatsResult, read_stats
from qadb.repositories.agents.executions import AgentUsage, ToolUsage
from qadb.repositories.analytics.overviews import (
    AgentFigures,
    BugFigures,
    CoverageFigures,
    PerformanceFigures,
    ToolFigures,
)
from qadb.repositories.figures.failure_groups import FailureGroup
from qadb.repositories.quality.coverage import AggregateCoverage, CoveragePoint
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.report_files import FAILURE, case, load_one, write_report
from tests.support.rooms import DAY, NOW, fill_rooms

if TYPE_CHECKING:
    from pathlib import Path

NO_BUGS = {"critical": 0, "high": 0, "medium": 0, "low": 0}


@pytest.fixture
def filled(migrated: Database) -> Database:
    """Two tenants with the same in other words, `acme` and the default one."""
    execute(migrated, "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")
    for tenant in ("default", "acme"):
        with migrated.session(tenant=tenant) as session:
            fill_rooms(session, tenant)
    return migrated


@pytest.fixture
def acme(filled: Database) -> StatsResult:
    return read_stats(filled, tenant="acme", now=NOW)


def test_coverage_is_that_of_the_newest_run_and_of_each_day(acme: StatsResult) -> None:
    counts = {"covered_functions": 0, "total_functions": 0}
    now = {"covered_lines": 75, "total_lines": 100, "covered_branches": 1, "total_branches": 4}
    before = {"covered_lines": 50, "total_lines": 100, "covered_branches": 0, "total_branches": 0}

    assert acme.coverage == CoverageFigures(
        newest=AggregateCoverage(runs=1, **now, **counts),
        trend=(
            CoveragePoint(date=date(2026, 11, 19), runs=1, **before, **counts),
            CoveragePoint(date=date(2026, 11, 20), runs=1, **now, **counts),
        ),
    )


def test_bugs_and_security_issues_are_counted_while_they_are_open(acme: StatsResult) -> None:
    open_bugs = {**NO_BUGS, "critical": 1, "low": 1}

    assert acme.bugs == BugFigures(open=open_bugs, mean_time_to_resolve=timedelta(hours=2))
    assert dict(acme.security) | {"high": 1, "medium": 1} == acme.security
    assert sum(acme.security.values()) == 2


def test_slas_that_are_missed_come_first(filled: Database, acme: StatsResult) -> None:
    performance = acme.performance

    assert (performance.violated, performance.met, performance.unmeasured) == (1, 1, 1)
    assert [(sla.metric, sla.measured, sla.margin) for sla in performance.slas] == [
        ("p95_response_time_ms", Decimal("250.5"), Decimal("-50.5")),
        ("error_rate", Decimal("0.015"), Decimal("0.005")),
        ("p95_response_time_ms", None, None),
    ]
    assert {sla.application for sla in performance.slas} == {"acme-app"}
    first = read_stats(filled, tenant="acme", top=1, now=NOW).performance
    assert first == PerformanceFigures(1, 1, 1, slas=performance.slas[:1])


def test_failures_are_grouped_and_flaky_tests_told(acme: StatsResult) -> None:
    assert acme.failures == (
        FailureGroup(
            "acme-sig", failures=2, tests=2, first_seen_at=NOW - 2 * DAY, last_seen_at=NOW - DAY,
            error_type="AssertionError", message="acme is wrong\nin two lines",
        ),
        FailureGroup(
            "acme-other", failures=1, tests=1, first_seen_at=NOW - DAY, last_seen_at=NOW - DAY,
            error_type=None, message=None,
        ),
    )  # fmt: skip
    assert [(test.name, test.classname, test.flips) for test in acme.flaky] == [
        ("flaky", "acme", 1)
    ]


def test_agents_and_tools_are_summed_up(acme: StatsResult) -> None:
    assert acme.agents == AgentFigures(
        3, completed=1, failed=1, running=1, tokens_used=1200,
        by_agent=(
            AgentUsage("acme", 2, 1, 1, 0, 1200, 1500.0, 1500.0),
            AgentUsage("reviewer", 1, 0, 0, 1, 0, 0.0, None),
        ),
    )  # fmt: skip
    assert acme.tools == ToolFigures(
        3, succeeded=1, failed=1, running=1,
        by_tool=(
            ToolUsage("grep", 2, 1, 1, 0, 0.5, 20.0, 20.0),
            ToolUsage("curl", 1, 0, 0, 1, None, 0.0, None),
        ),
    )  # fmt: skip


def test_all_tenants_are_summed_up_together(filled: Database) -> None:
    everybody = read_stats(filled, now=NOW)

    assert (everybody.results.total, everybody.runs.total) == (10, 4)
    assert everybody.coverage.newest.runs == 2
    assert everybody.coverage.newest.covered_lines == 150
    assert everybody.bugs.open == {**NO_BUGS, "critical": 2, "low": 2}
    assert sum(everybody.security.values()) == 4
    assert everybody.performance.violated == 2
    assert {group.signature for group in everybody.failures} == {
        "acme-sig", "acme-other", "default-sig", "default-other",
    }  # fmt: skip
    assert len(everybody.flaky) == 2
    assert (everybody.agents.executions, everybody.tools.calls) == (6, 6)


def test_period_holds_for_every_section(filled: Database) -> None:
    later = read_stats(filled, days=1, now=NOW + 10_000 * DAY)

    assert (later.flaky, later.failures, later.coverage.trend) == ((), (), ())
    assert later.coverage.newest.line_coverage is None
    assert later.bugs.mean_time_to_resolve is None
    assert later.bugs.open["critical"] == 2
    assert (later.performance.violated, later.performance.unmeasured) == (0, 6)
    assert (later.agents.executions, later.tools.calls) == (0, 0)


def test_empty_database_has_every_section(migrated: Database) -> None:
    stats = read_stats(migrated)

    assert stats.coverage.newest.runs == 0
    assert stats.bugs == BugFigures(open=NO_BUGS, mean_time_to_resolve=None)
    assert set(stats.security.values()) == {0}
    assert stats.performance == PerformanceFigures(0, 0, 0, slas=())
    assert (stats.flaky, stats.failures, stats.agents.by_agent) == ((), (), ())


def test_lists_are_empty_when_none_are_wanted(filled: Database) -> None:
    stats = read_stats(filled, top=0, now=NOW)

    lists = (stats.slowest, stats.most_failing, stats.flaky, stats.failures)
    rooms = (stats.performance.slas, stats.agents.by_agent, stats.tools.by_tool)
    assert {*lists, *rooms} == {()}
    assert (stats.performance.violated, stats.agents.executions) == (2, 6)


def test_deleted_tests_are_not_listed(filled: Database) -> None:
    execute(filled, "UPDATE test_cases SET deleted_at = created_at WHERE name <> 'fine'")

    stats = read_stats(filled, tenant="acme", now=NOW)

    assert [test.name for test in stats.slowest] == ["fine"]
    assert (stats.most_failing, stats.flaky, stats.results.total) == ((), (), 5)


def count_statements(database: Database) -> int:
    seen = []
    engine = database.engine(read_only=True)

    def note(*arguments: object) -> None:
        seen.append(arguments[2])

    event.listen(engine, "before_cursor_execute", note)
    read_stats(database, tenant="acme", now=NOW)
    event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def test_statements_do_not_grow_with_the_rows(filled: Database) -> None:
    count_statements(filled)
    few = count_statements(filled)
    for word in ("more", "most"):
        with filled.session(tenant="acme") as session:
            fill_rooms(session, word)

    assert count_statements(filled) == few


def test_all_figures_come_from_one_transaction(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written between two sections shows in neither."""
    from qadb.repositories.analytics.repository import AnalyticsRepository

    count_runs = AnalyticsRepository.runs

    def count_and_write(self: AnalyticsRepository) -> object:
        found = count_runs(self)
        load_one(filled, write_report(tmp_path / "late.xml", case("late", FAILURE)))
        return found

    monkeypatch.setattr(AnalyticsRepository, "runs", count_and_write)
    stats = read_stats(filled, now=NOW)

    assert (stats.runs.total, stats.results.total) == (4, 10)
    assert fetch_rows(filled, "SELECT count(*) FROM test_runs") == [(5,)]


def test_stats_are_read_from_the_replica(filled: Database, sqlite_url: str) -> None:
    is_file = filled.url.path is not None
    absent = open_database(sqlite_url).url if is_file else filled.url.with_database("nowhere")
    with Database(absent, replica_url=filled.url, connect_retries=0) as primary:
        assert read_stats(primary, now=NOW).runs.total == 4
        assert primary.server_version is not None
