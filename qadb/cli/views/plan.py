"""What a migration would do: locks, work and losses, a line each, and what somebody should know."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Heading, Line, Table
from qadb.cli.text import shorten
from qadb.humanize import format_count, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.revisions.losses import Loss
    from qadb.revisions.plan import Impact, RunPlan, StepPlan

_LONGEST_STATEMENT = 60


def plan_document(plan: RunPlan | None) -> dict[str, object] | None:
    """Return the JSON value."""
    if plan is None:
        return None
    return {
        "reason": plan.reason,
        "steps": [
            {
                "revision": step.revision,
                "title": step.title,
                "statements": step.impacts,
                "losses": step.losses,
                "warnings": list(_warnings(step)),
            }
            for step in plan.steps
        ],
    }


def plan_text(plan: RunPlan) -> Iterator[Block]:
    """List what the statements take, then what somebody should know."""
    if plan.reason is not None:
        yield Line(f"What they do to tables is unknown: {plan.reason}", "warn")
        return
    rows = [row for step in plan.steps for row in _rows(step)]
    if rows:
        yield Heading("On tables in use")
        titles = ["Revision", "Table", "Rows", "Size", "Lock", "Work", "Statement"]
        aligned = [Column(t, "right" if t in {"Rows", "Size"} else "left") for t in titles]
        yield Table(aligned, rows)
    for step in plan.steps:
        for warning in _warnings(step):
            yield Line(f"{step.revision}: {warning}", "warn")


def _rows(step: StepPlan) -> Iterator[tuple[str, ...]]:
    """One a table and kind of work, with the first statement of several."""
    told = [impact for impact in step.impacts if _is_told(impact)]
    for (table, lock, work), group in groupby(told, _kind):
        first, *more = group
        size = "-" if first.size_bytes is None else format_size(first.size_bytes)
        statement = shorten(first.statement, _LONGEST_STATEMENT)
        if more:
            statement += f" and {len(more)} more"
        yield (step.revision, table, format_count(first.rows), size, lock, work, statement)


def _kind(impact: Impact) -> tuple[str, str, str]:
    work = "written anew" if impact.rewrites else "read whole" if impact.scans else "-"
    return impact.table or "?", impact.lock or "-", work


def _is_told(impact: Impact) -> bool:
    return bool(impact.blocks or impact.scans or impact.rewrites or impact.risks)


def _warnings(step: StepPlan) -> Iterator[str]:
    """Yield a sentence for each thing that somebody would notice."""
    for impact in step.impacts:
        if impact.is_grave:
            yield _warning(impact)
    for loss in step.losses:
        if loss.rows:
            yield f"{_lost(loss)} for good."


def _warning(impact: Impact) -> str:
    if impact.table is None:
        return f"{'; '.join(impact.risks)}: {shorten(impact.statement, _LONGEST_STATEMENT)}"
    size = "" if impact.size_bytes is None else f", {format_size(impact.size_bytes)}"
    facts = f"{impact.table} ({format_count(impact.rows)} rows{size})"
    work = (
        "is written anew" if impact.rewrites else "is read whole" if impact.scans else "is locked"
    )
    waiting = f" while {' and '.join(impact.blocks)} wait" if impact.blocks else ""
    risks = "".join(f"; {risk}" for risk in impact.risks)
    return f"{facts} {work}{waiting}{risks}."


def _lost(loss: Loss) -> str:
    if loss.column is None:
        return f"the table {loss.table} goes with its {format_count(loss.rows)} rows"
    return f"{loss.name} goes with its {format_count(loss.rows)} values"
