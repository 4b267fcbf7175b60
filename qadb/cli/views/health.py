"""`qadb health`: text and JSON; the catalogue and a check's own page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Fields, Heading, Line, Marked, Table
from qadb.health.results import worst_first
from qadb.humanize import format_duration, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qadb.cli.blocks import Severity
    from qadb.health.context import HealthCheck
    from qadb.health.results import CheckResult
    from qadb.operations.health import HealthReport

SEVERITY: Mapping[str, Severity] = {
    "ok": "ok",
    "warn": "warn",
    "unknown": "warn",
    "not_run": "warn",
    "crit": "crit",
}
_WORDS = {"not_run": "not run"}
_DETAILS_SHOWN = 10
_LONG_SECONDS = 300
_INDENT = " " * 9


def health_document(report: HealthReport) -> dict[str, object]:
    """Return the JSON fields."""
    return {
        "status": report.status,
        "checks": [_result_document(result) for result in report.results],
    }


def _result_document(result: CheckResult) -> dict[str, object]:
    check = result.check
    return {
        "id": check.id,
        "title": check.title,
        "group": check.group,
        "status": result.status,
        "value": result.value,
        "unit": check.limits.unit,
        "warn": check.limits.warn,
        "crit": check.limits.crit,
        "message": result.message,
        "details": result.details,
        "hint": result.hint,
        "elapsed_seconds": round(result.elapsed_seconds, 6),
    }


def health_text(report: HealthReport, where: str) -> Iterator[Block]:
    """A line each, the worst first; under what is not well, details and what mends it."""
    for result in worst_first(report.results):
        yield from _result_lines(result)
    counts = {word: sum(r.status == word for r in report.results) for word in SEVERITY}
    summary = ", ".join(f"{n} {_WORDS.get(word, word)}" for word, n in counts.items() if n)
    yield Line(
        f"{where}: {report.status} ({summary or 'nothing checked'}).", SEVERITY[report.status]
    )


def _result_lines(result: CheckResult) -> Iterator[Block]:
    word = _WORDS.get(result.status, result.status)
    check = result.check
    yield Line(f"{word:<8} {check.id} {check.title}: {result.message}", SEVERITY.get(result.status))
    if result.status in {"ok", "skipped"}:
        return
    for detail in result.details[:_DETAILS_SHOWN]:
        yield Line(f"{_INDENT}{detail}")
    more = len(result.details) - _DETAILS_SHOWN
    if more > 0:
        yield Line(f"{_INDENT}and {more} more (all with --json)")
    if result.hint:
        yield Line(f"{_INDENT}Mend it: {result.hint}")


def catalogue_document(checks: Sequence[HealthCheck]) -> dict[str, object]:
    """Return the JSON fields of --list."""
    return {"checks": [check_document(check, "") for check in checks]}


def catalogue_text(checks: Sequence[HealthCheck]) -> Iterator[Block]:
    """Return a table of the checks."""
    columns = [Column(name) for name in ("Id", "Group", "Title", "At worst", "Cost", "Engines")]
    rows = [
        (c.id, c.group, c.title, Marked(c.severity, c.severity), c.cost, spell_engines(c))
        for c in checks
    ]
    yield Table(columns, rows)


def check_document(check: HealthCheck, statement: str) -> dict[str, object]:
    """Return one check as JSON."""
    limits = check.limits
    return {
        "id": check.id,
        "title": check.title,
        "group": check.group,
        "severity": check.severity,
        "engines": check.engines,
        "cost": check.cost,
        "unit": limits.unit,
        "warn": limits.warn,
        "crit": limits.crit,
        "source": limits.source,
        "why": check.why,
        "remedy": check.remedy,
        "statement": statement or None,
    }


def check_text(check: HealthCheck, statement: str) -> Iterator[Block]:
    """Everything that a check says of itself."""
    limits = check.limits
    yield Fields(
        [
            ("Check", f"{check.id} {check.title}"),
            ("Group", check.group),
            ("Engines", spell_engines(check)),
            ("At worst", Marked(check.severity, check.severity)),
            ("Warns at", spell_limit(limits.warn, limits.unit)),
            ("Critical at", spell_limit(limits.crit, limits.unit)),
            ("Limits from", limits.source),
            ("Cost", check.cost),
            ("Why", check.why),
            ("Mend it", check.remedy),
        ]
    )
    yield Heading("Reads")
    for line in statement.strip().splitlines():
        yield Line(line)


def spell_engines(check: HealthCheck) -> str:
    """The engines that a check is for."""
    return ", ".join(sorted(check.engines))


def spell_limit(limit: float | None, unit: str) -> str:
    """A limit with its unit; sizes and long times as people say them."""
    if limit is None:
        return "-"
    if unit == "B":
        return format_size(round(limit))
    if unit == "s" and limit >= _LONG_SECONDS:
        return format_duration(limit)
    return f"{limit:g} {unit}".rstrip()


def took(result: CheckResult) -> str:
    """How long a check took."""
    return format_duration(result.elapsed_seconds)
