"""Stats: what is counted, over which period, for whom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ConfigurationError, EmptyDatabase
from qadb.operations.ingest import IngestOptions
from qadb.operations.stats import StatsResult, read_stats
from qadb.repositories.analytics.overviews import RunFigures
from qadb.repositories.figures.results import ResultFigures
from tests.support.databases import execute
from tests.support.report_files import FAILURE, SKIPPED, case, count_all, load_one, write_report

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
ERROR = '<error message="boom"/>'
TIMEOUT = '<error message="too slow" type="TimeoutError"/>'


def stats_of(database: Database, *, days: int = 30, top: int = 10) -> StatsResult:
    return read_stats(database, days=days, top=top, now=NOW)


def load_run(database: Database, folder: Path, start: str, *cases: str, **labels: str) -> None:
    """Load a run that is like no other."""
    path = write_report(folder / f"{len(list(folder.iterdir()))}.xml", *cases, start=start)
    load_one(database, path, IngestOptions(run_key=path.name, **labels))  # type: ignore[arg-type]  # the labels are words


def test_results_count_final_attempts_by_status(migrated: Database, tmp_path: Path) -> None:
    flaky = "<flakyFailure>x</flakyFailure>"
    cases = [case("a"), case("b", flaky), case("c", FAILURE), case("d", ERROR), case("e", SKIPPED)]
    load_run(migrated, tmp_path, "2026-11-20T10:00:00Z", *cases)

    results = stats_of(migrated).results

    assert results == ResultFigures(5, passed=2, failed=1, errors=1, skipped=1, timeout=0)
    assert results.pass_rate == 0.5


def test_pass_rate_is_unknown_when_nothing_ran(migrated: Database, tmp_path: Path) -> None:
    assert stats_of(migrated).results.pass_rate is None

    load_run(migrated, tmp_path, "2026-11-20T10:00:00Z", case("a", SKIPPED))

    results = stats_of(migrated).results
    assert (results.total, results.skipped, results.pass_rate) == (1, 1, None)


def test_period_begins_so_many_days_ago_and_has_no_end(migrated: Database, tmp_path: Path) -> None:
    for start in ("2026-11-20T09:59:59Z", "2026-11-20T10:00:00Z", "2026-11-22T00:00:00Z"):
        load_run(migrated, tmp_path, start, case("a"))

    assert stats_of(migrated, days=1).runs.total == 2
    assert stats_of(migrated, days=1).results.total == 2
    assert stats_of(migrated, days=2).runs.total == 3
    assert stats_of(migrated, days=36_500).runs.total == 3


def test_runs_are_told_by_their_result_and_the_newest_is_named(
    migrated: Database, tmp_path: Path
) -> None:
    load_run(migrated, tmp_path, "2020-01-01T00:00:00Z", case("a"))
    old = RunFigures(0, 0, 0, newest_started_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert stats_of(migrated).runs == old

    load_run(migrated, tmp_path, "2026-11-20T10:00:00Z", case("a"), case("b", ERROR))
    load_run(migrated, tmp_path, "2026-11-19T10:00:00Z", case("a"))

    newest = datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert stats_of(migrated).runs == RunFigures(2, 1, 1, newest_started_at=newest)


def test_slowest_tests_are_ranked_by_their_mean(migrated: Database, tmp_path: Path) -> None:
    first = [case("even", seconds="2"), case("odd", seconds="3"), case("quick", seconds="0.001")]
    second = [case("even", seconds="2.5"), case("odd", seconds="1"), case("untimed", seconds="")]
    load_run(migrated, tmp_path, "2026-11-20T10:00:00Z", *first)
    load_run(migrated, tmp_path, "2026-11-20T11:00:00Z", *second, case("x", SKIPPED, seconds="99"))

    slowest = stats_of(migrated).slowest

    figures = [(test.name, test.runs, test.mean_ms, test.max_ms, test.total_ms) for test in slowest]
    assert figures == [
        ("even", 2, 2250.0, 2500.0, 4500.0),
        ("odd", 2, 2000.0, 3000.0, 4000.0),
        ("quick", 1, 1.0, 1.0, 1.0),
    ]
    assert [test.name for test in stats_of(migrated, top=1).slowest] == ["even"]


def test_most_failing_tests_count_failures_errors_and_timeouts(
    migrated: Database, tmp_path: Path
) -> None:
    rounds = [
        (case("often", FAILURE), case("once", ERROR), case("never")),
        (case("often", TIMEOUT), case("once"), case("never")),
        (case("often", SKIPPED), case("once"), case("never", "<flakyFailure/>")),
    ]
    for day, cases in enumerate(rounds, start=18):
        load_run(migrated, tmp_path, f"2026-11-{day}T10:00:00Z", *cases)

    failing = stats_of(migrated).most_failing

    figures = [(one.name, one.failures, one.runs, one.failure_rate) for one in failing]
    assert figures == [("often", 2, 2, 1.0), ("once", 1, 3, 0.333333)]
    assert failing[0].last_failed_at == datetime(2026, 11, 19, 10, tzinfo=UTC)


def test_no_names_are_listed_when_none_are_wanted(migrated: Database, tmp_path: Path) -> None:
    load_run(migrated, tmp_path, "2026-11-20T10:00:00Z", case("a", FAILURE))

    stats = stats_of(migrated, top=0)

    assert (stats.slowest, stats.most_failing, stats.results.total) == ((), (), 1)


def test_tables_show_their_rows_and_sizes(migrated: Database, tmp_path: Path) -> None:
    load_run(migrated, tmp_path, "2026-11-20T10:00:00Z", case("a"), case("b"))

    stats = stats_of(migrated)

    assert {table.name: table.rows for table in stats.tables} == count_all(migrated)
    assert all(table.rows_are_exact for table in stats.tables)
    sizes = [table.size_bytes for table in stats.tables if table.size_bytes is not None]
    assert all(size >= 0 for size in sizes)
    assert stats.size_bytes > sum(sizes) * 0.5


def test_tenant_sees_its_own_runs_only(migrated: Database, tmp_path: Path) -> None:
    execute(migrated, "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")
    load_run(migrated, tmp_path, "2026-11-20T10:00:00Z", case("ours", FAILURE))
    theirs = [case("theirs", seconds="9"), case("too")]
    load_run(migrated, tmp_path, "2026-11-20T11:00:00Z", *theirs, tenant="acme")

    acme = read_stats(migrated, tenant="acme", now=NOW)
    everybody = read_stats(migrated, now=NOW)

    assert (acme.runs.total, acme.results.total, acme.most_failing) == (1, 2, ())
    assert [test.name for test in acme.slowest] == ["theirs", "too"]
    assert (everybody.runs.total, everybody.results.total) == (2, 3)
    with pytest.raises(ConfigurationError, match="There is no tenant 'nobody'") as caught:
        read_stats(migrated, tenant="nobody")
    assert caught.value.hint == "Check --tenant or QADB_TENANT: acme, default."


def test_database_without_tables_is_refused(empty: Database) -> None:
    empty.create()

    with pytest.raises(EmptyDatabase):
        read_stats(empty)
