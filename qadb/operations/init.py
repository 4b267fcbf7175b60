"""Create what is missing and migrate to head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.operations.common import (
    LOCK_TIMEOUT_SECONDS,
    WAIT_LOCK_SECONDS,
    say_nothing,
    tell_about_waiting,
)
from qadb.operations.migrate import apply_revisions
from qadb.progress import no_progress
from qadb.revisions.state import read_state, require_managed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qadb.database import Database
    from qadb.progress import Progress
    from qadb.revisions.runner import AppliedRevision
    from qadb.revisions.state import DatabaseState


@dataclass(frozen=True, slots=True)
class InitResult:
    """What ``init`` made.

    Attributes:
        created: the database itself (file or server-side database) was made now.
        applied: revisions run now; empty when everything was there.
        backup: the one that was made before; None where there was none to make.
    """

    created: bool
    from_revision: str | None
    to_revision: str | None
    applied: tuple[AppliedRevision, ...]
    backup: Path | None = None


def init_database(
    database: Database,
    *,
    wait_seconds: float = 0.0,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    backup_folder: Path | None = None,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> InitResult:
    """Create the database where it is missing, then migrate to head, reference data included.

    Run again it changes nothing. Killed half-way, the next run goes on from there. What is there
    already and behind is saved to ``backup_folder`` first, where one is given.

    Raises:
        DatabaseUnreachable: the server does not answer within ``wait_seconds`` and the retries.
        UnmanagedDatabase: it holds tables that qadb did not make; nothing was changed.
        RevisionMismatch: it is ahead of this qadb.
        InsufficientPrivilege: a right is missing; the message names it.
    """
    if wait_seconds:
        database.wait_until_reachable(wait_seconds)
    created = database.create()
    state = _read_own_state(database)
    if state.state == "current":  # no lock: looking needs no right to write
        return InitResult(created, state.revision, state.revision, ())
    waiting = tell_about_waiting(notify)
    with database.exclusive(wait_seconds=wait_lock_seconds, on_wait=waiting):
        state = _read_own_state(database)  # once more: we may have waited
        result = apply_revisions(
            database,
            state,
            state.pending,
            lock_timeout_seconds=LOCK_TIMEOUT_SECONDS,
            backup_folder=backup_folder,
            progress=progress,
            notify=notify,
        )
    return InitResult(
        created, result.from_revision, result.to_revision, result.applied, result.backup
    )


def _read_own_state(database: Database) -> DatabaseState:
    """The state of a database that ``init`` may work on: an empty or a managed one."""
    state = read_state(database)
    if state.state != "empty":
        require_managed(database, state)
    return state
