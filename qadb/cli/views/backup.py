"""`qadb backup`: what was made, what would be, and which backups there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.cli.blocks import Cell, Column, Line, Marked, Table
from qadb.humanize import format_count, format_duration, format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from qadb.backups.folder import Backup
    from qadb.backups.manifest import Manifest
    from qadb.cli.blocks import Block
    from qadb.operations.backup import BackupPlan, BackupResult


def backup_document(result: BackupResult) -> dict[str, object]:
    """Return the JSON fields of a backup that was made."""
    return {
        "path": result.path,
        "size_bytes": result.size_bytes,
        "sha256": result.sha256,
        **manifest_document(result.manifest),
        "verified": result.is_verified,
        "recorded": result.is_recorded,
        "removed": result.removed,
        "dry_run": False,
    }


def plan_document(plan: BackupPlan) -> dict[str, object]:
    """Return the JSON fields of a backup that would be made."""
    return {
        "path": plan.path,
        "size_bytes": None,
        "sha256": None,
        **manifest_document(plan.manifest),
        "verified": False,
        "recorded": False,
        "removed": plan.removed,
        "dry_run": True,
    }


def manifest_document(manifest: Manifest) -> dict[str, object]:
    """Return the JSON fields of what a backup says of itself."""
    return {
        "created_at": manifest.taken_at,
        "purpose": manifest.purpose,
        "revision": manifest.revision,
        "tables": manifest.tables,
        "database_bytes": manifest.size_bytes,
    }


def list_document(backups: Sequence[Backup]) -> dict[str, object]:
    """Return the JSON fields of the backups that are there, newest first."""
    return {"backups": [_entry(backup) for backup in backups]}


def _entry(backup: Backup) -> dict[str, object]:
    found = backup.manifest
    return {
        "path": backup.path,
        "created_at": found.taken_at if found else None,
        "size_bytes": backup.size_bytes,
        "revision": found.revision if found else None,
        "verified_at": backup.verified_at,
        "database": found.database if found else None,
        "purpose": backup.purpose,
        "problem": backup.problem,
    }


def backup_text(result: BackupResult, elapsed_seconds: float) -> Iterator[Block]:
    """Say what was saved, where, how large it is and what went."""
    found = result.manifest
    yield Line(f"Saved {found.database}: {describe_content(found)}.", "ok")
    verified = ", verified" if result.is_verified else ""
    yield Line(
        f"{result.path}: {format_size(result.size_bytes)} of {format_size(found.size_bytes)}, "
        f"in {format_duration(elapsed_seconds)}{verified}."
    )
    yield from (Line(f"Removed {path}.") for path in result.removed)


def plan_text(plan: BackupPlan) -> Iterator[Block]:
    """Say what would be saved, where, and what would go."""
    yield Line(
        f"Would save {plan.manifest.database}, {format_size(plan.manifest.size_bytes)}: "
        f"{describe_content(plan.manifest)}, to {plan.path}."
    )
    yield from (Line(f"Would remove {path}.") for path in plan.removed)
    yield Line("Nothing was written.")


def describe_content(manifest: Manifest, tables: Mapping[str, int] | None = None) -> str:
    """How much it is, in all of its tables or in some, and where it stood."""
    counted = manifest.tables if tables is None else tables
    rows, count = format_count(sum(counted.values())), format_count(len(counted))
    return f"{rows} rows of {count} tables at revision {manifest.revision or 'base'}"


def list_text(backups: Sequence[Backup], folder: Path) -> Iterator[Block]:
    """Return a line a backup, newest first."""
    now = datetime.now(UTC)
    columns = [
        Column("Taken at"),
        Column("Age", "right"),
        Column("Size", "right"),
        Column("Revision"),
        Column("Verified"),
        Column("Made for"),
        Column("File"),
        Column("Database"),
    ]
    rows = [_row(backup, now) for backup in backups]
    yield Table(columns, rows, empty=f"There are no backups in {folder}.")
    yield from (
        Line(f"{backup.path.name}: {backup.problem}", "crit")
        for backup in backups
        if backup.problem is not None
    )


def _row(backup: Backup, now: datetime) -> tuple[Cell, ...]:
    found, size = backup.manifest, format_size(backup.size_bytes)
    if found is None:
        unreadable = Marked("unreadable", "crit")
        return ("-", "-", size, "-", unreadable, "-", backup.path.name, "-")
    verified: Cell = Marked("no", "warn")
    if backup.verified_at is not None:
        verified = format_time(backup.verified_at)
    return (
        format_time(found.taken_at),
        format_duration((now - found.taken_at).total_seconds()),
        size,
        found.revision or "-",
        verified,
        "" if found.purpose == "backup" else found.purpose,
        backup.path.name,
        found.database,
    )
