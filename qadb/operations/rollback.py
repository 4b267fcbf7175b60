"""Go back to an earlier revision, after saying what that would lose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qadb.errors import RevisionMismatch, RevisionNotFound
from qadb.operations.common import (
    LOCK_TIMEOUT_SECONDS,
    WAIT_LOCK_SECONDS,
    count_steps,
    say_nothing,
    tell_about_waiting,
)
from qadb.operations.safety import saved_before
from qadb.progress import no_progress
from qadb.revisions.catalogue import BASE, RevisionCatalogue, read_catalogue
from qadb.revisions.losses import Loss, count_losses, find_losses
from qadb.revisions.runner import AppliedRevision, run_revisions
from qadb.revisions.state import read_state, require_managed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qadb.database import Database
    from qadb.progress import Progress


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What was taken back, or would be.

    Attributes:
        applied: revisions taken back, newest first; in a dry run, those that would be.
        losses: tables and columns that go with them, with what they held before.
        empty: revisions among them whose way back does nothing: what they made stays, and only the
            version goes back.
        backup: the one that was made before; None where there was none to make.
    """

    from_revision: str | None
    to_revision: str | None
    applied: tuple[AppliedRevision, ...]
    losses: tuple[Loss, ...]
    dry_run: bool
    empty: tuple[str, ...] = ()
    backup: Path | None = None

    @property
    def is_needed(self) -> bool:
        """There is something to take back, which needs somebody's consent."""
        return bool(self.applied)


def plan_rollback(
    database: Database, target: str | None = None, *, steps: int | None = None
) -> RollbackResult:
    """Say what ``rollback`` would take back and lose; writes nothing.

    Args:
        database: what to go back on.
        target: a revision or ``base``; without it, ``steps`` back.
        steps: how many revisions to take back; 1 without a target.

    Raises:
        RevisionNotFound: no such revision, or fewer are applied than ``steps``.
    """
    state = read_state(database)
    require_managed(database, state)
    catalogue = read_catalogue(database.schema.migrations)
    to = _resolve(catalogue, state.revision, target, steps)
    here, there = catalogue.position(state.revision), catalogue.position(to)
    taken_back = tuple(
        AppliedRevision(r.revision, r.title, 0.0) for r in reversed(catalogue.revisions[there:here])
    )
    losses = find_losses(database, state.revision, to) if taken_back else ()
    gone = catalogue.revisions[there:here]
    empty = tuple(r.revision for r in reversed(gone) if not r.takes_back())
    return RollbackResult(state.revision, to, taken_back, losses, dry_run=True, empty=empty)


def rollback(
    database: Database,
    plan: RollbackResult,
    *,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    backup_folder: Path | None = None,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> RollbackResult:
    """Carry out a plan.

    With a ``backup_folder`` a verified backup is made there before, and a failure's hint says how
    to restore it.

    What goes is counted again when nobody else can migrate any more; the result tells those counts.

    Raises:
        RevisionMismatch: the database moved since the plan was made, or something that was empty
            then holds data now; nothing was changed.
        LockNotAvailable: another operation, or somebody using a table, did not end in time.
        MigrationFailed: a downgrade failed; the database stands at a revision boundary.
    """
    if not plan.applied:
        return RollbackResult(plan.from_revision, plan.to_revision, (), (), dry_run=False)
    waiting = tell_about_waiting(notify)
    with database.exclusive(wait_seconds=wait_lock_seconds, on_wait=waiting):
        losses = _check_plan(database, plan)
        with saved_before(database, backup_folder, progress=progress, notify=notify) as backup:
            applied = run_revisions(
                database,
                "down",
                plan.to_revision,
                lock_timeout_seconds=lock_timeout_seconds,
                on_step=count_steps(progress, len(plan.applied)),
                on_retry=notify,
                backup=None if backup is None else str(backup),
            )
    return replace(plan, applied=applied, losses=losses, dry_run=False, backup=backup)


def _check_plan(database: Database, plan: RollbackResult) -> tuple[Loss, ...]:
    """Count what goes once more, and refuse what the plan did not announce."""
    found = read_state(database).revision
    if found != plan.from_revision:
        raise RevisionMismatch(
            f"The database moved from {plan.from_revision or BASE} to {found or BASE} meanwhile.",
            hint="Look at the plan again with: qadb rollback --dry-run",
        )
    losses = count_losses(database, plan.losses)
    announced = {(loss.table, loss.column): loss.rows for loss in plan.losses}
    for loss in losses:
        if loss.rows and not announced[loss.table, loss.column]:
            raise RevisionMismatch(
                f"{loss.name} was empty when this was planned and is not any more.",
                hint="Look at the plan again with: qadb rollback --dry-run",
            )
    return losses


def _resolve(
    catalogue: RevisionCatalogue, current: str | None, target: str | None, steps: int | None
) -> str | None:
    here = catalogue.position(current)
    if target is not None:
        to = catalogue.resolve(target)
        if catalogue.position(to) > here:
            raise RevisionMismatch(
                f"The database is at {current or BASE}, before {to}.",
                hint=f"Go forward with: qadb migrate --target {to}",
            )
        return to
    wanted = 1 if steps is None else steps
    if wanted > here:
        raise RevisionNotFound(
            f"The database can't go back {_counted(wanted)}: it has {_counted(here)}.",
            hint="See them with: qadb status",
        )
    there = here - wanted
    return catalogue.revisions[there - 1].revision if there else None


def _counted(revisions: int) -> str:
    return f"{revisions or 'no'} revision{'' if revisions == 1 else 's'}"
