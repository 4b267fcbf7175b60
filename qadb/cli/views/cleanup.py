"""`qadb cleanup`: what went, what stayed and why, and what became of the space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Line, Table
from qadb.humanize import format_count, format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qadb.backends.base_cleanup import Space
    from qadb.operations.cleanup_report import CleanupReport, PolicyOutcome

_REASONS = {
    "protected": "protected",
    "baseline": "a baseline refers to them",
    "open_bug": "an open bug refers to them",
    "failure_analysis": "a failure analysis without a cause",
    "hold": "held",
    "keep_last": "among the last",
    "referenced": "referred to",
    "in_use": "in use",
    "changed": "changed since they were archived",
    "owner_only": "for the tables' owner to delete",
}
_MOST_NAMED = 6


def cleanup_document(report: CleanupReport) -> dict[str, object]:
    """Return the JSON fields."""
    space = report.space
    return {
        "dry_run": report.dry_run,
        "complete": report.complete,
        "tables": {
            name: {"deleted": table.deleted, "kept": dict(table.kept)}
            for name, table in report.tables.items()
        },
        "freed_bytes": report.freed_bytes,
        "reusable_bytes": None if space is None else space.reusable_bytes,
        "archived": report.archived,
        "policies": [_policy(outcome) for outcome in report.policies],
    }


def _policy(outcome: PolicyOutcome) -> dict[str, object]:
    rule = outcome.rule
    return {
        "table": rule.policy.table,
        "age_column": rule.policy.age_column,
        "days": rule.days,
        "keep_last": rule.keep_last,
        "source": rule.source,
        "cutoff": rule.cutoff,
        "rows": dict(outcome.tables),
        "kept": dict(outcome.kept),
        "freed_bytes": outcome.freed_bytes,
    }


def cleanup_text(report: CleanupReport, where: str) -> Iterator[Block]:
    """Say what went, or would go, and what stayed."""
    shown = [(n, t) for n, t in report.tables.items() if t.deleted or t.kept]
    rows = [(n, format_count(t.deleted), _spell_kept(t.kept)) for n, t in shown]
    if rows:
        gone = "Would go" if report.dry_run else "Deleted"
        yield Table([Column("Table"), Column(gone, "right"), Column("Old, but kept")], rows)
    count = format_count(report.deleted)
    if not report.deleted:
        if report.complete:
            yield Line(_spell_nothing(report, where), "ok")
    elif report.dry_run:
        yield Line(f"Would delete {count} rows of {where}{_about(report)}. Nothing was changed.")
    else:
        yield Line(f"Deleted {count} rows of {where}.", "ok")
    yield from (Line(f"Archived in {path}.") for path in report.archived)
    if not report.complete:
        yield Line("Time ran out before all was done; the next cleanup goes on.", "warn")
    if report.space is not None and report.deleted:
        yield from _space(report.space)


def _spell_nothing(report: CleanupReport, where: str) -> str:
    kept = " but what is kept" if report.kept else ""
    return f"Nothing in {where} is old enough to go{kept}."


def _about(report: CleanupReport) -> str:
    return "" if report.freed_bytes is None else f", about {format_size(report.freed_bytes)}"


def _spell_kept(kept: Mapping[str, int]) -> str:
    return ", ".join(
        f"{format_count(rows)} {_REASONS.get(reason, reason)}" for reason, rows in kept.items()
    )


def _space(space: Space) -> Iterator[Block]:
    text = f"The system got {format_size(space.freed_bytes)} back"
    if space.reusable_bytes:
        text += f"; {format_size(space.reusable_bytes)} in the file are free for new rows"
    yield Line(f"{text}.")
    if space.explanation is not None:
        yield Line(space.explanation)


def cleanup_question(plan: CleanupReport, where: str) -> str:
    """The question that stands before anything is deleted."""
    filled = sorted(
        ((name, table.deleted) for name, table in plan.tables.items() if table.deleted),
        key=lambda each: -each[1],
    )
    named = [f"{name} ({format_count(rows)})" for name, rows in filled[:_MOST_NAMED]]
    if len(filled) > _MOST_NAMED:
        named.append(f"{len(filled) - _MOST_NAMED} more")
    return f"Delete {format_count(plan.deleted)} rows of {where}: {', '.join(named)}?"


def policies_text(plan: CleanupReport) -> Iterator[Block]:
    """A line a policy."""
    columns = [
        Column("Table"),
        Column("Age of"),
        Column("Days", "right"),
        Column("Keeps the last", "right"),
        Column("Older than"),
        Column("Would go", "right"),
        Column("Would free", "right"),
        Column("Says who"),
    ]
    yield Table(columns, [_row(outcome) for outcome in plan.policies])
    for outcome in plan.policies:
        if outcome.kept:
            kept = _spell_kept(outcome.kept)
            yield Line(f"{outcome.rule.policy.table}: old, but kept: {kept}.")


def _row(outcome: PolicyOutcome) -> tuple[str, ...]:
    rule, rows = outcome.rule, sum(outcome.tables.values())
    return (
        rule.policy.table,
        rule.policy.age_column,
        "never" if rule.days is None else str(rule.days),
        str(rule.keep_last) if rule.policy.groups else "",
        "" if rule.cutoff is None else format_time(rule.cutoff),
        format_count(rows),
        "" if outcome.freed_bytes is None else format_size(outcome.freed_bytes),
        rule.source,
    )
