"""`qadb stats`: how big the database is and how good the results are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Fields, Heading, Line, Table
from qadb.cli.humanize import (
    format_count,
    format_duration,
    format_percentage,
    format_size,
    format_time,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.operations.stats import StatsResult
    from qadb.repositories.analytics import FailingTest, SlowTest

_MS_PER_SECOND = 1000


def stats_document(result: StatsResult) -> dict[str, object]:
    """Return the JSON fields."""
    results = result.results
    return {
        "days": result.days,
        "since": result.since,
        "tenant": result.tenant,
        "size_bytes": result.size_bytes,
        "tables": result.tables,
        "runs": result.runs,
        "results": {
            "total": results.total,
            "passed": results.passed,
            "failed": results.failed,
            "errors": results.errors,
            "skipped": results.skipped,
            "timeout": results.timeout,
            "pass_rate": results.pass_rate,
        },
        "slowest": result.slowest,
        "most_failing": [_failing_document(test) for test in result.most_failing],
    }


def _failing_document(test: FailingTest) -> dict[str, object]:
    return {
        "test_case_id": test.test_case_id,
        "name": test.name,
        "suite": test.suite,
        "classname": test.classname,
        "runs": test.runs,
        "failures": test.failures,
        "failure_rate": test.failure_rate,
        "last_failed_at": test.last_failed_at,
    }


def stats_text(result: StatsResult, where: str) -> Iterator[Block]:
    """Return tables with sizes, then the period's figures."""
    yield Fields([("Database", where), ("Size", format_size(result.size_bytes))])
    yield from _tables(result)
    yield from _period(result)
    if result.slowest:
        yield Heading("Slowest tests")
        yield _slowest(result.slowest)
    if result.most_failing:
        yield Heading("Most failing tests")
        yield _most_failing(result.most_failing)


def _tables(result: StatsResult) -> Iterator[Block]:
    filled = [table for table in result.tables if table.rows]
    yield Heading("Tables")
    yield Table(
        [Column("Table"), Column("Rows", "right"), Column("Size", "right")],
        [
            (
                table.name,
                ("" if table.rows_are_exact else "about ") + format_count(table.rows),
                "-" if table.size_bytes is None else format_size(table.size_bytes),
            )
            for table in sorted(filled, key=lambda t: (-(t.size_bytes or 0), t.name))
        ],
    )
    if len(filled) < len(result.tables):
        yield Line(f"{len(result.tables) - len(filled)} more tables are empty.")


def _period(result: StatsResult) -> Iterator[Block]:
    runs, results = result.runs, result.results
    whose = "" if result.tenant is None else f", tenant {result.tenant}"
    yield Heading(f"Last {result.days} days{whose}")
    if not runs.total:
        newest = runs.newest_started_at
        older = f"; the newest started {format_time(newest)}" if newest else ""
        yield Line(f"No run started in this time{older}.")
        return
    rate = "-" if results.pass_rate is None else format_percentage(results.pass_rate)
    yield Fields(
        [
            (
                "Runs",
                f"{format_count(runs.total)} ({runs.successful} successful, {runs.failed} not)",
            ),
            ("Results", format_count(results.total)),
            ("Passed", format_count(results.passed)),
            ("Failed", format_count(results.failed)),
            ("Errors", format_count(results.errors)),
            ("Timeouts", format_count(results.timeout)),
            ("Skipped", format_count(results.skipped)),
            ("Pass rate", f"{rate} of those that ran"),
        ]
    )


def _slowest(tests: tuple[SlowTest, ...]) -> Table:
    return Table(
        [
            Column("Mean", "right"),
            Column("Longest", "right"),
            Column("Results", "right"),
            Column("Test"),  # last, because names can be long
        ],
        [
            (
                format_duration(test.mean_ms / _MS_PER_SECOND),
                format_duration(test.max_ms / _MS_PER_SECOND),
                format_count(test.runs),
                _test_name(test),
            )
            for test in tests
        ],
    )


def _most_failing(tests: tuple[FailingTest, ...]) -> Table:
    return Table(
        [Column("Failures", "right"), Column("Rate", "right"), Column("Last"), Column("Test")],
        [
            (
                f"{format_count(test.failures)} of {format_count(test.runs)}",
                format_percentage(test.failure_rate),
                "-" if test.last_failed_at is None else format_time(test.last_failed_at),
                _test_name(test),
            )
            for test in tests
        ],
    )


def _test_name(test: SlowTest | FailingTest) -> str:
    group = test.classname or test.suite
    return f"{group} {test.name}" if group else test.name
