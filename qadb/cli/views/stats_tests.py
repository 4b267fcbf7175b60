"""What `qadb stats` says of tests: the slow, the failing, the flaky, and failures that are one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Heading, Table
from qadb.humanize import format_count, format_duration, format_percentage, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qadb.operations.stats import StatsResult
    from qadb.repositories.figures.failing_tests import FailingTest
    from qadb.repositories.figures.failure_groups import FailureGroup
    from qadb.repositories.figures.flaky_tests import FlakyTest
    from qadb.repositories.figures.slow_tests import SlowTest

_MS_PER_SECOND = 1000


def tests_text(result: StatsResult) -> Iterator[Block]:
    """Return a table for each list that has entries; names come last, because they can be long."""
    sections = (
        ("Slowest tests", _slowest(result.slowest)),
        ("Most failing tests", _most_failing(result.most_failing)),
        ("Flaky tests", _flaky(result.flaky)),
        ("Failures in common", _failures(result.failures)),
    )
    for title, table in sections:
        if table.rows:
            yield Heading(title)
            yield table


def _slowest(tests: Sequence[SlowTest]) -> Table:
    return Table(
        [
            Column("Mean", "right"),
            Column("Longest", "right"),
            Column("Results", "right"),
            Column("Test"),
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


def _most_failing(tests: Sequence[FailingTest]) -> Table:
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


def _flaky(tests: Sequence[FlakyTest]) -> Table:
    return Table(
        [
            Column("Flips", "right"),
            Column("Rate", "right"),
            Column("By retry", "right"),
            Column("Passed", "right"),
            Column("Test"),
        ],
        [
            (
                format_count(test.flips),
                "-" if test.flip_rate is None else format_percentage(test.flip_rate),
                format_count(test.passed_on_retry),
                f"{format_count(test.passed)} of {format_count(test.runs)}",
                _test_name(test),
            )
            for test in tests
        ],
    )


def _failures(groups: Sequence[FailureGroup]) -> Table:
    return Table(
        [Column("Failures", "right"), Column("Tests", "right"), Column("Last"), Column("Failure")],
        [
            (
                format_count(group.failures),
                format_count(group.tests),
                format_time(group.last_seen_at),
                _failure_name(group),
            )
            for group in groups
        ],
    )


def _failure_name(group: FailureGroup) -> str:
    """The type and the first line of the example's message, or else the signature."""
    first_line = (group.message or "").strip().partition("\n")[0].strip()
    return ": ".join(filter(None, (group.error_type, first_line))) or group.signature


def _test_name(test: SlowTest | FailingTest | FlakyTest) -> str:
    group = test.classname or test.suite
    return f"{group} {test.name}" if group else test.name
