"""`qadb migrate --rehearse`: what pending revisions did to a copy of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Line, Table
from qadb.humanize import format_count, format_duration, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.operations.rehearse import RehearsalResult, RehearsedStep


def rehearsal_document(result: RehearsalResult) -> dict[str, object]:
    """Return the JSON fields: those of a dry run, and what happened."""
    return {
        "from": result.from_revision,
        "to": result.to_revision,
        "applied": [
            {"revision": s.revision, "title": s.title, "elapsed_seconds": s.elapsed_seconds}
            for s in result.steps
        ],
        "dry_run": True,
        "plan": None,
        "backup": None,
        "rehearsal": result.steps,
    }


def rehearsal_text(result: RehearsalResult, where: str) -> Iterator[Block]:
    """Say what each revision took and changed."""
    if not result.steps:
        yield Line(f"{where} is at {result.to_revision}: nothing to do.", "ok")
        return
    columns = [Column("Revision"), Column("What it does"), Column("Took", "right"), Column("Rows")]
    rows = [
        (step.revision, step.title, format_duration(step.elapsed_seconds), _changes(step))
        for step in result.steps
    ]
    yield Table(columns, rows)
    seconds = sum(step.elapsed_seconds for step in result.steps)
    yield Line(
        f"Rehearsed on a copy of {format_size(result.size_bytes)}, in {format_duration(seconds)}:"
        f" {result.from_revision or 'base'} to {result.to_revision}. {where} is as it was.",
        "ok",
    )


def _changes(step: RehearsedStep) -> str:
    changes = step.changes.items()
    return ", ".join(
        f"{name} {format_count(x.before)} → {format_count(x.after)}" for name, x in changes
    )
