"""`qadb status`: where a database stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Block, Column, Fields, Heading, Line, Marked, Table
from qadb.cli.views.checks import Check
from qadb.cli.views.drift import difference_line, drift_document, drift_text
from qadb.humanize import format_duration, format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from qadb.cli.blocks import Severity
    from qadb.operations.status import StatusResult
    from qadb.revisions.history import HistoryEntry

_SEVERITY: dict[str, Severity] = {"current": "ok", "behind": "warn"}
_ADVICE = {
    "behind": "Bring it up to date with: qadb migrate",
    "ahead": "It was migrated by a newer qadb: upgrade this one.",
    "forked": "It was migrated by another build of qadb: use that one, or restore a backup.",
    "unmanaged": "It holds tables that qadb did not make; qadb leaves them alone.",
    "empty": "Set it up with: qadb init",
    "absent": "Create it with: qadb init",
}
_ENTRIES_SHOWN = 10


def status_document(result: StatusResult) -> dict[str, object]:
    """Return the JSON fields."""
    return {
        "state": result.database.state,
        "revision": result.database.revision,
        "head": result.database.head,
        "pending": [{"revision": r.revision, "title": r.title} for r in result.database.pending],
        "size_bytes": result.size_bytes,
        "history": [_entry_document(entry) for entry in result.history],
        "last_backup": result.last_backup,
        "last_cleanup": result.last_cleanup,
        "drift": None if result.drift is None else drift_document(result.drift),
    }


def status_checks(result: StatusResult, where: str) -> list[Check]:
    """Return the answers for the formats of CI systems."""
    found = result.database
    at = f"{where} is {found.state}" + (f" at {found.revision}" if found.revision else "")
    sentence = f"{at}. {_ADVICE.get(found.state, '')}".rstrip()
    checks = [Check("state", "passed" if result.is_current else "failed", (sentence,))]
    drift = result.drift
    if drift is not None and drift.status == "unknown":
        checks.append(Check("drift", "unknown", (drift.reason or "",)))
    elif drift is not None:
        lines = tuple(map(difference_line, drift.differences))
        checks.append(Check("drift", "failed" if lines else "passed", lines))
    return checks


def _entry_document(entry: HistoryEntry) -> dict[str, object]:
    return {
        "operation": entry.operation,
        "revision": entry.revision,
        "direction": entry.direction,
        "applied_at": entry.applied_at,
        "elapsed_seconds": entry.elapsed_seconds,
        "user": entry.user,
        "qadb_version": entry.qadb_version,
        "backup": entry.backup,
        "edited": entry.is_edited,
    }


def status_text(
    result: StatusResult, where: str, engine: str, server_version: str | None
) -> Iterator[Block]:
    """Return the fields, what is pending, the newest steps and what to do next."""
    found = result.database
    size = "-" if result.size_bytes is None else format_size(result.size_bytes)
    yield Fields(
        [
            ("Database", where),
            ("Engine", f"{engine} {server_version or ''}".rstrip()),
            ("State", Marked(found.state, _SEVERITY.get(found.state, "crit"))),
            ("Revision", found.revision or "-"),
            ("Head", found.head or "-"),
            ("Size", size),
            ("Last backup", _time(result.last_backup)),
            ("Last cleanup", _time(result.last_cleanup)),
        ]
    )
    if found.pending and found.state == "behind":
        yield Heading("Pending")
        rows = [(r.revision, r.title) for r in found.pending]
        yield Table([Column("Revision"), Column("What it does")], rows)
    if result.history:
        yield Heading("History")
        yield _history(result.history)
    if result.drift is not None:
        yield Heading("Drift")
        yield from drift_text(result.drift)
    if found.state in _ADVICE:
        yield Line(_ADVICE[found.state], _SEVERITY.get(found.state, "crit"))


def _history(entries: tuple[HistoryEntry, ...]) -> Table:
    columns = ["Revision", "", "Applied at", "By", "Took", "Note"]
    rows = [
        (
            entry.revision or "-",
            entry.direction or entry.operation or "",
            format_time(entry.applied_at),
            entry.user,
            format_duration(entry.elapsed_seconds),
            "edited since" if entry.is_edited else "",
        )
        for entry in entries[-_ENTRIES_SHOWN:]
    ]
    return Table([Column(title, "right" if title == "Took" else "left") for title in columns], rows)


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else format_time(moment)
