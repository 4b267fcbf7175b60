"""The JSON fields of `qadb stats`: one key a section, always there."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qadb.operations.stats import StatsResult
    from qadb.repositories.analytics.overviews import BugFigures
    from qadb.repositories.figures.failing_tests import FailingTest
    from qadb.repositories.figures.failure_groups import FailureGroup
    from qadb.repositories.figures.results import ResultFigures
    from qadb.repositories.quality.coverage import AggregateCoverage, CoveragePoint

_RATES = ("line_coverage", "branch_coverage", "function_coverage")


def stats_document(result: StatsResult) -> dict[str, object]:
    """Return the JSON fields."""
    return {
        "days": result.days,
        "since": result.since,
        "tenant": result.tenant,
        "size_bytes": result.size_bytes,
        "tables": result.tables,
        "runs": result.runs,
        "results": _results(result.results),
        "slowest": result.slowest,
        "most_failing": [_failing(test) for test in result.most_failing],
        "flaky": result.flaky,
        "failures": [_failure(group) for group in result.failures],
        "coverage": {
            **_coverage(result.coverage.newest),
            "trend": [_point(point) for point in result.coverage.trend],
        },
        "bugs": _bugs(result.bugs),
        "security": {"open": result.security},
        "performance": result.performance,
        "agents": result.agents,
        "tools": result.tools,
    }


def _results(results: ResultFigures) -> Mapping[str, object]:
    return {**_fields(results), "pass_rate": results.pass_rate}


def _failing(test: FailingTest) -> Mapping[str, object]:
    return {**_fields(test), "failure_rate": test.failure_rate}


def _failure(group: FailureGroup) -> Mapping[str, object]:
    return {
        "signature": group.signature,
        "count": group.failures,
        "tests": group.tests,
        "first_seen_at": group.first_seen_at,
        "last_seen_at": group.last_seen_at,
        "error_type": group.error_type,
        "message": group.message,
    }


def _coverage(coverage: AggregateCoverage) -> Mapping[str, object]:
    return {**{name: getattr(coverage, name) for name in _RATES}, **_fields(coverage)}


def _point(point: CoveragePoint) -> Mapping[str, object]:
    return {"date": point.date, **_coverage(point)}


def _bugs(bugs: BugFigures) -> Mapping[str, object]:
    mean = bugs.mean_time_to_resolve
    return {
        "open": bugs.open,
        "mean_seconds_to_resolve": None if mean is None else mean.total_seconds(),
    }


def _fields(figures: ResultFigures | FailingTest | AggregateCoverage) -> dict[str, object]:
    return {field.name: getattr(figures, field.name) for field in fields(figures)}
