"""`qadb restore --map`: what was brought in from somebody's own database, or would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Line
from qadb.humanize import format_count, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.cli.blocks import Block
    from qadb.operations.importing.import_rows import ImportPlan, ImportResult

# What `restore` tells of a backup, which this is none.
_NO_BACKUP = dict.fromkeys(
    (
        "size_bytes",
        "sha256",
        "created_at",
        "purpose",
        "revision",
        "tables",
        "database_bytes",
        "safety_backup",
        "previous",
        "moved_from",
        "pending",
        "replaces",
        "verified_at",
    )
)


def plan_document(plan: ImportPlan) -> dict[str, object]:
    """Return the JSON fields of what would be brought in."""
    mapped = [
        {"source": each.source, "table": each.to.name, "read": rows, "written": 0, "rejected": 0}
        for each, rows in zip(plan.tables, plan.rows, strict=True)
    ]
    return {
        "path": plan.path,
        **_NO_BACKUP,
        "mapped": mapped,
        "rejected": 0,
        "rejects": None,
        "dry_run": True,
    }


def import_document(result: ImportResult) -> dict[str, object]:
    """Return the JSON fields of what was brought in."""
    mapped = [
        {
            "source": each.source,
            "table": each.to,
            "read": each.read,
            "written": each.written,
            "rejected": each.rejected,
        }
        for each in result.tables
    ]
    return {
        **plan_document(result.plan),
        "mapped": mapped,
        "rejected": result.rejected,
        "rejects": result.rejects,
        "dry_run": False,
    }


def plan_text(plan: ImportPlan, where: str) -> Iterator[Block]:
    """Say which tables become which."""
    yield Line(f"{where} gets the rows of {plan.path}.")
    for each, rows in zip(plan.tables, plan.rows, strict=True):
        yield Line(f"{each.source} becomes {each.to.name}: {format_count(rows)} rows.")
    yield Line("Nothing was changed.")


def import_text(result: ImportResult, where: str) -> Iterator[Block]:
    """Say what came in, table by table, and where the rest is reported."""
    written = sum(each.written for each in result.tables)
    yield Line(
        f"Brought {format_count(written)} rows of {result.plan.path} into {where}, "
        f"in {format_duration(result.elapsed_seconds)}.",
        "ok",
    )
    for each in result.tables:
        rejected = f", {format_count(each.rejected)} rejected" if each.rejected else ""
        yield Line(
            f"{each.source} became {each.to}: {format_count(each.read)} rows read, "
            f"{format_count(each.written)} written{rejected}."
        )
    if result.rejects is not None:
        count = format_count(result.rejected)
        yield Line(f"{count} rows were rejected; which and why: {result.rejects}", "warn")
