"""The text of `qadb stats`: how big the database is and how good the results are.

Tests by name and the other rooms have views of their own, and so has the JSON document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Fields, Heading, Line, Table
from qadb.cli.views.stats_rooms import rooms_text
from qadb.cli.views.stats_tests import tests_text
from qadb.humanize import format_count, format_percentage, format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.operations.stats import StatsResult


def stats_text(result: StatsResult, where: str) -> Iterator[Block]:
    """Return tables with sizes, then the period's figures, section by section."""
    yield Fields([("Database", where), ("Size", format_size(result.size_bytes))])
    yield from _tables(result)
    yield from _period(result)
    yield from tests_text(result)
    yield from rooms_text(result)


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
