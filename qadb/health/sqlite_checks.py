"""Checks of a SQLite file and its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.checks import Check, Finding, some_or_none
from qadb.errors import QadbError

if TYPE_CHECKING:
    from qadb.backends.base_health import FileInspector
    from qadb.health.context import Context, HealthCheck

SQLITE = frozenset({"sqlite"})


def file(context: Context) -> FileInspector:
    """What asks about the file."""
    found = context.database.backend.file
    if found is None:
        raise QadbError("This database is no file.")
    return found


def journal_mode(context: Context) -> Finding:
    """Whether readers and a writer can work at once."""
    mode = file(context).journal_mode(context.connection)
    is_wal = mode == "wal"
    return Finding("ok" if is_wal else "warn", f"The journal mode is {mode}.", int(not is_wal))


SQLITE_CHECKS: tuple[HealthCheck, ...] = (
    Check(
        id="QADB-Q01",
        title="Journal mode",
        group="engine",
        severity="warn",
        limits=some_or_none(),
        cost="cheap",
        why="Outside of WAL a writer and its readers wait for each other.",
        remedy="PRAGMA journal_mode = WAL",
        probe=journal_mode,
        facts=("journal_mode",),
        engines=SQLITE,
    ),
)
