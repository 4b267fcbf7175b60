"""Apply pending revisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qadb.errors import RevisionMismatch
from qadb.operations.common import (
    LOCK_TIMEOUT_SECONDS,
    WAIT_LOCK_SECONDS,
    count_steps,
    say_nothing,
    tell_about_waiting,
)
from qadb.operations.safety import saved_before
from qadb.progress import no_progress
from qadb.revisions.catalogue import BASE, HEAD, Revision, read_catalogue
from qadb.revisions.plan import RunPlan, plan_run
from qadb.revisions.runner import AppliedRevision, run_revisions
from qadb.revisions.script import render_sql
from qadb.revisions.state import DatabaseState, read_state, require_managed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qadb.database import Database
    from qadb.progress import Progress


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """What was applied, or would be.

    Attributes:
        applied: revisions run now; in a dry run, those that would be, with 0 seconds.
        plan: what they would do; None where nobody asked.
        backup: the one that was made before; None where there was none to make.
    """

    from_revision: str | None
    to_revision: str | None
    applied: tuple[AppliedRevision, ...]
    dry_run: bool
    plan: RunPlan | None = None
    backup: Path | None = None


def plan_migration(database: Database, target: str = HEAD) -> MigrateResult:
    """Say which revisions ``migrate`` would apply, and what they would do; writes nothing."""
    state, to_apply = plan_revisions(database, target)
    plan = plan_run(database, to_apply, state.revision)
    return replace(_planned(state, to_apply), plan=plan)


def render_migration(database: Database, target: str = HEAD) -> tuple[MigrateResult, str]:
    """The plan and the SQL script that carries it out; writes nothing.

    For a database that is empty or not there yet the script begins at the beginning.
    """
    state = read_state(database)
    if state.state not in ("empty", "absent"):
        require_managed(database, state)
    plan = _planned(state, _to_apply(database, state, target))
    script = render_sql(database, plan.from_revision, plan.to_revision) if plan.applied else ""
    return plan, script


def migrate(
    database: Database,
    target: str = HEAD,
    *,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    backup_folder: Path | None = None,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> MigrateResult:
    """Apply pending revisions up to ``target``.

    With a ``backup_folder`` a verified backup is made there before anything is applied, and a
    failure's hint says how to restore it.

    Raises:
        EmptyDatabase, UnmanagedDatabase, RevisionMismatch: not a database that this can migrate.
        LockNotAvailable: another migration, or somebody using a table, did not end in time.
        MigrationFailed: a revision failed; the database stands at a revision boundary.
    """
    require_managed(database, read_state(database))
    waiting = tell_about_waiting(notify)
    with database.exclusive(wait_seconds=wait_lock_seconds, on_wait=waiting):
        state, to_apply = plan_revisions(database, target)  # once more: we may have waited
        return apply_revisions(
            database,
            state,
            to_apply,
            lock_timeout_seconds=lock_timeout_seconds,
            backup_folder=backup_folder,
            progress=progress,
            notify=notify,
        )


def apply_revisions(
    database: Database,
    state: DatabaseState,
    to_apply: tuple[Revision, ...],
    *,
    lock_timeout_seconds: float,
    backup_folder: Path | None,
    progress: Progress,
    notify: Callable[[str], None],
) -> MigrateResult:
    """Run the revisions given; the caller holds the operations' lock.

    A database at base holds nothing that a backup could save.
    """
    if not to_apply:
        return MigrateResult(state.revision, state.revision, (), dry_run=False)
    target = to_apply[-1].revision
    folder = backup_folder if state.revision is not None else None
    with saved_before(database, folder, progress=progress, notify=notify) as backup:
        applied = run_revisions(
            database,
            "up",
            target,
            lock_timeout_seconds=lock_timeout_seconds,
            on_step=count_steps(progress, len(to_apply)),
            on_retry=notify,
            backup=None if backup is None else str(backup),
        )
    return MigrateResult(state.revision, target, applied, dry_run=False, backup=backup)


def plan_revisions(
    database: Database, target: str = HEAD
) -> tuple[DatabaseState, tuple[Revision, ...]]:
    """Return where the database stands, and what would be applied; raises as `migrate`."""
    state = read_state(database)
    require_managed(database, state)
    return state, _to_apply(database, state, target)


def _to_apply(database: Database, state: DatabaseState, target: str) -> tuple[Revision, ...]:
    catalogue = read_catalogue(database.schema.migrations)
    wanted = catalogue.resolve(target)
    here, there = catalogue.position(state.revision), catalogue.position(wanted)
    if there < here:
        raise RevisionMismatch(
            f"The database is at {state.revision}, past {wanted or BASE}.",
            hint=f"Go back with: qadb rollback {wanted or BASE}",
        )
    return catalogue.revisions[here:there]


def _planned(state: DatabaseState, to_apply: tuple[Revision, ...]) -> MigrateResult:
    planned = tuple(AppliedRevision(r.revision, r.title, 0.0) for r in to_apply)
    to = planned[-1].revision if planned else state.revision
    return MigrateResult(state.revision, to, planned, dry_run=True)
