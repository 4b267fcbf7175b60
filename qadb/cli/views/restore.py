"""`qadb restore`: what was restored or would be, and what was proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Line
from qadb.cli.views.backup import describe_content, manifest_document
from qadb.humanize import format_count, format_duration, format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.cli.blocks import Block
    from qadb.operations.restore import RestorePlan, RestoreResult
    from qadb.operations.verify import VerifyResult

_ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

NOTHING_MAPPED: dict[str, object] = {"mapped": None, "rejected": None, "rejects": None}


def restore_document(result: RestoreResult) -> dict[str, object]:
    """Return the JSON fields of what was restored."""
    return {
        **plan_document(result.plan),
        "safety_backup": result.safety_backup,
        "previous": result.previous,
        "dry_run": False,
    }


def plan_document(plan: RestorePlan) -> dict[str, object]:
    """Return the JSON fields of what would be restored."""
    return {
        "path": plan.path,
        "size_bytes": plan.size_bytes,
        "sha256": plan.sha256,
        **manifest_document(plan.manifest),
        "safety_backup": None,
        "previous": None,
        "moved_from": plan.moved_from,
        "pending": [{"revision": r.revision, "title": r.title} for r in plan.pending],
        "replaces": {"state": plan.standing, "tables": plan.tables},
        "verified_at": None,
        "dry_run": True,
        **NOTHING_MAPPED,
    }


def verify_document(result: VerifyResult) -> dict[str, object]:
    """Return the JSON fields of what was proven; nothing is replaced."""
    return {
        "path": result.path,
        "size_bytes": result.size_bytes,
        "sha256": result.sha256,
        **manifest_document(result.manifest),
        "safety_backup": None,
        "previous": None,
        "moved_from": None,
        "pending": None,
        "replaces": None,
        "verified_at": result.verified_at,
        "dry_run": True,
        **NOTHING_MAPPED,
    }


def restore_question(plan: RestorePlan, where: str) -> str:
    """Say exactly what will be replaced by what, and ask."""
    return f"{_replacement(plan, where)} Go on?"


def _replacement(plan: RestorePlan, where: str) -> str:
    taken = format_time(plan.manifest.taken_at)
    now = {
        "absent": "nothing is there now",
        "empty": "it is empty now",
        "damaged": "what is there now can't be read, and is set aside",
    }.get(plan.standing, f"now it holds {format_count(sum(plan.tables.values()))} rows")
    return (
        f"{where} is replaced by the backup of {taken}, "
        f"{format_count(sum(plan.comes.values()))} rows at revision "
        f"{plan.manifest.revision or 'base'}; {now}."
    )


def plan_text(plan: RestorePlan, where: str) -> Iterator[Block]:
    """Say what would be replaced, table by table where it would be fewer rows."""
    yield Line(_replacement(plan, where))
    if plan.moved_from is not None:
        yield Line(
            f"It moves from {_engine(plan.moved_from)} to {_engine(plan.engine)}: the tables "
            "are made anew, and every row is converted."
        )
    for table in sorted(plan.tables):
        before, after = plan.tables[table], plan.comes.get(table, 0)
        if after < before:
            yield Line(f"{table}: {format_count(before)} rows become {format_count(after)}.")
    yield from _pending(plan)
    yield Line("Nothing was changed.")


def _engine(name: str) -> str:
    return _ENGINES.get(name, name)


def restore_text(result: RestoreResult, where: str) -> Iterator[Block]:
    """Say what is there now, what it was before and what to do next."""
    found = result.plan.manifest
    content = describe_content(found, result.plan.comes)  # as many as the question said
    yield Line(
        f"Restored {where} to {format_time(found.taken_at)}: {content}, "
        f"in {format_duration(result.elapsed_seconds)}.",
        "ok",
    )
    if result.safety_backup is not None:
        yield Line(f"What it was before: {result.safety_backup}")
    if result.previous is not None:
        yield Line(f"What it was before is kept as {result.previous}.")
    yield from _pending(result.plan)


def _pending(plan: RestorePlan) -> Iterator[Block]:
    if plan.pending:
        revisions = ", ".join(revision.revision for revision in plan.pending)
        yield Line(f"Pending afterwards: {revisions}. Apply them with: qadb migrate", "warn")


def verify_text(result: VerifyResult, elapsed_seconds: float) -> Iterator[Block]:
    """Say what was proven."""
    yield Line(
        f"{result.path} is whole and restores: {result.manifest.database}, "
        f"{describe_content(result.manifest)}, taken {format_time(result.manifest.taken_at)}.",
        "ok",
    )
    size = format_size(result.size_bytes)
    yield Line(f"{size}, SHA-256 {result.sha256}, in {format_duration(elapsed_seconds)}.")
