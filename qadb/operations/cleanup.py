"""Delete what retention lets go, beside those who write, and give the space back.

Decides when: the operations' lock, the time limit, the order. Which rows go and how they go is
`qadb.cleaning`'s. A plan asks the same questions and deletes nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.cleaning.archive import Archive
from qadb.cleaning.deleting import count_rows
from qadb.cleaning.rules import Wishes
from qadb.errors import QadbError
from qadb.operations.cleanup_report import (
    CleanupReport,
    PolicyOutcome,
    TableCleanup,
    Tally,
    by_table,
    estimate_bytes,
)
from qadb.operations.cleanup_run import Run
from qadb.operations.cleanup_work import CleanupOptions, Work
from qadb.operations.common import (
    LOCK_TIMEOUT_SECONDS,
    WAIT_LOCK_SECONDS,
    say_nothing,
    tell_about_waiting,
)
from qadb.progress import no_progress
from qadb.revisions.history import record_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qadb.database import Database
    from qadb.progress import Progress

__all__ = [
    "CleanupOptions",
    "CleanupReport",
    "PolicyOutcome",
    "TableCleanup",
    "Wishes",
    "cleanup",
    "plan_cleanup",
]


def plan_cleanup(
    database: Database, options: CleanupOptions | None = None, *, with_sizes: bool = True
) -> CleanupReport:
    """Say what `cleanup` would delete and keep; writes nothing.

    Args:
        database: what to look at.
        options: as there.
        with_sizes: estimate bytes, which takes a look at whole tables.

    Raises:
        ConfigurationError: a table has no policy, or there is no such tenant.
        RevisionMismatch, EmptyDatabase, UnmanagedDatabase: it is not at this qadb's revision.
    """
    work = Work(database, options or CleanupOptions())
    work.require_current()
    tally = Tally()
    for rule in work.rules_in_force:
        for subject, keys, kept in work.find(rule):
            with work.read() as connection:
                tally.add(rule, count_rows(connection, subject, keys), kept)
    outcomes = tally.outcomes(work.rules)
    freed: int | None = None
    if with_sizes:
        outcomes, freed = _with_sizes(work, outcomes)
    return CleanupReport(
        dry_run=True,
        complete=True,
        tables=by_table(outcomes),
        freed_bytes=freed,
        archived=(),
        policies=outcomes,
    )


def cleanup(
    database: Database,
    options: CleanupOptions | None = None,
    *,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> CleanupReport:
    """Delete what retention lets go.

    Args:
        database: what to clean.
        options: how.
        lock_timeout_seconds: how long a statement waits for somebody else's lock.
        wait_lock_seconds: how long to wait for another operation.
        progress: told of rows.
        notify: told what somebody may want to know.

    Raises:
        ConfigurationError: a table has no policy, there is no such tenant, or pyarrow is missing
            for an archive.
        RevisionMismatch, EmptyDatabase, UnmanagedDatabase: it is not at this qadb's revision.
        LockNotAvailable: another operation, or somebody using a table, did not end in time; what
            was deleted before is gone, with all that belongs to it.
        StorageFull, InsufficientPrivilege: the archive can't be written; the same holds.
    """
    options = options or CleanupOptions()
    started, began_at = time.monotonic(), datetime.now(UTC)
    work = Work(database, options)
    waiting = tell_about_waiting(notify)
    with database.exclusive(wait_seconds=wait_lock_seconds, on_wait=waiting):
        revision = work.require_current()
        archive = None
        if options.archive is not None:
            archive = Archive(options.archive, database.url.shown, revision)
        with database.cleaning() as connect:
            run = Run(
                work,
                connect,
                archive,
                lock_timeout_seconds=lock_timeout_seconds,
                started=started,
                progress=progress,
            )
            run.delete_all()
            space = run.reclaim(notify)
        _record(database, revision, began_at, time.monotonic() - started, notify)
    outcomes = run.tally.outcomes(work.rules)
    return CleanupReport(
        dry_run=False,
        complete=run.is_complete and space.is_complete,
        tables=by_table(outcomes),
        freed_bytes=space.freed_bytes,
        archived=() if archive is None else archive.paths,
        policies=outcomes,
        space=space,
    )


def _with_sizes(
    work: Work, outcomes: Sequence[PolicyOutcome]
) -> tuple[tuple[PolicyOutcome, ...], int | None]:
    with work.read() as connection:
        sizes = estimate_bytes(connection, work.database, outcomes)
    known = {name: size for name, size in sizes.items() if size is not None}
    if len(known) < len(sizes):
        return tuple(outcomes), None
    sized = tuple(
        replace(each, freed_bytes=sum(known[name] for name, rows in each.tables.items() if rows))
        for each in outcomes
    )
    return sized, sum(known.values())


def _record(
    database: Database,
    revision: str | None,
    began_at: datetime,
    elapsed_seconds: float,
    notify: Callable[[str], None],
) -> None:
    """Write it down; what is deleted is so whether that works or not."""
    try:
        with database.connect() as connection:
            record_entry(
                connection,
                database,
                "cleanup",
                revision=revision,
                applied_at=began_at,
                elapsed_seconds=elapsed_seconds,
            )
    except QadbError as error:
        notify(f"The cleanup is done; the database's history was not written. {error.message}")
