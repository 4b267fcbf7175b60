"""What `qadb stats` says beyond tests: a section a room, for rooms that hold anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Cell, Column, Fields, Heading, Marked, Table
from qadb.humanize import format_count, format_duration, format_percentage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from qadb.operations.stats import StatsResult
    from qadb.repositories.analytics.overviews import (
        AgentFigures,
        BugFigures,
        CoverageFigures,
        PerformanceFigures,
        ToolFigures,
    )
    from qadb.repositories.performance.slas import SlaCheck
    from qadb.repositories.quality.coverage import CoveragePoint

_MS_PER_SECOND = 1000


def rooms_text(result: StatsResult) -> Iterator[Block]:
    """Return coverage, bugs, security, performance, agents and tools."""
    yield from _coverage(result.coverage, result.top)
    yield from _bugs(result.bugs)
    yield from _security(result.security)
    yield from _performance(result.performance)
    yield from _agents(result.agents)
    yield from _tools(result.tools)


def _coverage(coverage: CoverageFigures, days_shown: int) -> Iterator[Block]:
    newest = coverage.newest
    if not newest.runs:
        return
    yield Heading("Coverage")
    parts = (
        ("Lines", newest.line_coverage, newest.covered_lines, newest.total_lines),
        ("Branches", newest.branch_coverage, newest.covered_branches, newest.total_branches),
        ("Functions", newest.function_coverage, newest.covered_functions, newest.total_functions),
    )
    yield Fields(
        [
            (label, f"{_rate(rate)} ({format_count(covered)} of {format_count(total)})")
            for label, rate, covered, total in parts
            if total
        ]
    )
    if len(coverage.trend) > 1 and days_shown:
        yield _trend(coverage.trend[-days_shown:])


def _trend(points: tuple[CoveragePoint, ...]) -> Table:
    """The last days with coverage."""
    titles = ("Lines", "Branches", "Functions", "Runs")
    return Table(
        [Column("Day"), *(Column(title, "right") for title in titles)],
        [
            (
                point.date.isoformat(),
                _rate(point.line_coverage),
                _rate(point.branch_coverage),
                _rate(point.function_coverage),
                format_count(point.runs),
            )
            for point in points
        ],
    )


def _bugs(bugs: BugFigures) -> Iterator[Block]:
    mean = bugs.mean_time_to_resolve
    if mean is None and not any(bugs.open.values()):
        return
    yield Heading("Bugs")
    rows = [("Open", _by_severity(bugs.open))]
    if mean is not None:
        rows.append(("Mean time to resolve", format_duration(mean.total_seconds())))
    yield Fields(rows)


def _security(open_issues: Mapping[str, int]) -> Iterator[Block]:
    if any(open_issues.values()):
        yield Heading("Security issues")
        yield Fields([("Open", _by_severity(open_issues))])


def _by_severity(counts: Mapping[str, int]) -> str:
    """All of them, and those severities that there are: ``3 (1 critical, 2 low)``."""
    parts = [f"{format_count(count)} {severity}" for severity, count in counts.items() if count]
    total = format_count(sum(counts.values()))
    return f"{total} ({', '.join(parts)})" if parts else total


def _performance(performance: PerformanceFigures) -> Iterator[Block]:
    counts = (performance.violated, performance.met, performance.unmeasured)
    if not any(counts):
        return
    violated, met, unmeasured = (format_count(count) for count in counts)
    yield Heading("Performance against SLA")
    yield Fields([("SLAs", f"{violated} missed, {met} met, {unmeasured} not measured")])
    if performance.slas:
        yield Table(
            [
                Column("SLA"),
                Column("Measured", "right"),
                Column("Threshold", "right"),
                Column("Metric"),
                Column("Where"),
            ],
            [
                (
                    _verdict(check),
                    "-" if check.measured is None else _amount(check.measured, check.unit),
                    _amount(check.threshold, check.unit),
                    check.metric,
                    _place(check),
                )
                for check in performance.slas
            ],
        )


def _verdict(check: SlaCheck) -> Cell:
    if check.is_met is None:
        return "not measured"
    return Marked("met", "ok") if check.is_met else Marked("missed", "crit")


def _place(check: SlaCheck) -> str:
    """The application, and the request that did worst or that the SLA is about."""
    request = check.worst_request or check.request_name
    return f"{check.application} {request}" if request else check.application


def _amount(value: Decimal, unit: str | None) -> str:
    if unit == "fraction":
        return format_percentage(float(value))
    number = f"{value.normalize():,f}"
    return f"{number} {unit}" if unit else number


def _agents(agents: AgentFigures) -> Iterator[Block]:
    if not agents.executions:
        return
    yield Heading("Agents")
    ended = f"{agents.completed} completed, {agents.failed} failed, {agents.running} running"
    yield Fields(
        [
            ("Executions", f"{format_count(agents.executions)} ({ended})"),
            ("Tokens", format_count(agents.tokens_used)),
        ]
    )
    if agents.by_agent:
        titles = ("Executions", "Failed", "Tokens", "Mean")
        yield Table(
            [*(Column(title, "right") for title in titles), Column("Agent")],
            [
                (
                    format_count(agent.executions),
                    format_count(agent.failed),
                    format_count(agent.tokens_used),
                    _milliseconds(agent.mean_duration_ms),
                    agent.agent_name,
                )
                for agent in agents.by_agent
            ],
        )


def _tools(tools: ToolFigures) -> Iterator[Block]:
    if not tools.calls:
        return
    yield Heading("Tools")
    ended = f"{tools.succeeded} successful, {tools.failed} failed, {tools.running} running"
    yield Fields([("Calls", f"{format_count(tools.calls)} ({ended})")])
    if tools.by_tool:
        titles = ("Calls", "Failed", "Successful", "Mean")
        yield Table(
            [*(Column(title, "right") for title in titles), Column("Tool")],
            [
                (
                    format_count(tool.calls),
                    format_count(tool.failed),
                    _rate(tool.success_rate),
                    _milliseconds(tool.mean_duration_ms),
                    tool.tool_name,
                )
                for tool in tools.by_tool
            ],
        )


def _rate(rate: float | None) -> str:
    return "-" if rate is None else format_percentage(rate)


def _milliseconds(duration_ms: float | None) -> str:
    return "-" if duration_ms is None else format_duration(duration_ms / _MS_PER_SECOND)
