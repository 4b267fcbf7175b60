"""Runs revisions up and down, and makes sure that they were committed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from qadb.errors import (
    ConflictError,
    DatabaseFailure,
    LockNotAvailable,
    MigrationFailed,
    QadbError,
)
from qadb.retries import backoff_seconds
from qadb.revisions.catalogue import BASE, read_catalogue
from qadb.revisions.environment import (
    StepRecorder,
    configure_options,
    find_steps,
    keep_one_transaction,
    script_directory,
)
from qadb.revisions.state import read_state_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.runtime.migration import MigrationStep
    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.revisions.history import Direction

LOCK_ATTEMPTS = 10
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
SHORTEST_LOCK_TIMEOUT_SECONDS = 0.001  # PostgreSQL reads 0 as "wait for ever"


@dataclass(frozen=True, slots=True)
class AppliedRevision:
    """A revision that was run just now, up or down."""

    revision: str
    title: str
    elapsed_seconds: float


@dataclass(slots=True)
class _Run:
    database: Database
    direction: Direction
    target: str | None
    lock_timeout_seconds: float
    on_step: Callable[[AppliedRevision], None]
    on_retry: Callable[[str], None]
    backup: str | None
    running: str | None = None
    applied: list[AppliedRevision] = field(default_factory=list)


def run_revisions(
    database: Database,
    direction: Direction,
    target: str | None,
    *,
    lock_timeout_seconds: float,
    on_step: Callable[[AppliedRevision], None],
    on_retry: Callable[[str], None] = lambda _message: None,
    backup: str | None = None,
) -> tuple[AppliedRevision, ...]:
    """Go up or down to ``target`` (None is base); the caller holds the operations' lock.

    Args:
        database: what to run them on.
        direction: ``up`` or ``down``.
        target: the revision to end at.
        lock_timeout_seconds: how long each attempt waits for a table that somebody uses.
        on_step: called after each revision.
        on_retry: told who is in the way while a lock is waited for, and why it was not to be had
            before the pause that follows.
        backup: the one that was made before, for the history.

    Raises:
        MigrationFailed: a revision raised, or the commit did not hold. The database stands at the
            last revision that was committed.
        LockNotAvailable: a table stayed locked through every attempt.
    """
    timeout_seconds = max(lock_timeout_seconds, SHORTEST_LOCK_TIMEOUT_SECONDS)
    run = _Run(database, direction, target, timeout_seconds, on_step, on_retry, backup)
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            _run_once(run)
            break
        except LockNotAvailable as error:
            if attempt == LOCK_ATTEMPTS:
                raise
            pause_seconds = backoff_seconds(
                attempt - 1, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS
            )
            on_retry(
                f"{error.message} Attempt {attempt} of {LOCK_ATTEMPTS}; "
                f"trying again in {pause_seconds:.1f} s."
            )
            time.sleep(pause_seconds)
    _verify(database, target)
    return tuple(run.applied)


def _run_once(run: _Run) -> None:
    database = run.database
    run.running = None
    titles = {r.revision: r.title for r in read_catalogue(database.schema.migrations).revisions}
    done: list[AppliedRevision] = []

    def note(revision: str, elapsed_seconds: float) -> None:
        step = AppliedRevision(revision, titles.get(revision, ""), round(elapsed_seconds, 6))
        done.append(step)
        run.on_step(step)

    try:
        with database.migrating(
            lock_timeout_seconds=run.lock_timeout_seconds, on_blocked=run.on_retry
        ) as connection:
            _migrate(run, connection, note)
            database.backend.connector.mark_as_own(connection, database.schema)
    except BaseException as error:
        if database.backend.migrations.transaction_per_migration:
            run.applied.extend(done)  # committed one by one: a retry goes on from here
        if isinstance(error, Exception) and _is_fault_of_revision(error, run.running):
            raise _failure(run, error) from error
        raise
    run.applied.extend(done)


def _migrate(run: _Run, connection: Connection, note: Callable[[str, float], None]) -> None:
    script = script_directory(run.database.schema)

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> Iterator[MigrationStep]:
        for step in find_steps(script, run.direction, run.target, heads):
            run.running = step.revision.revision
            yield step

    recorder = StepRecorder(run.database, note, backup=run.backup)
    options = configure_options(run.database, recorder)
    context = MigrationContext.configure(
        connection, opts={**options, "fn": steps, "script": script}
    )
    keep_one_transaction(context, run.database, lambda: run.running)
    with context.begin_transaction(), Operations.context(context):
        context.run_migrations()


def _is_fault_of_revision(error: Exception, running: str | None) -> bool:
    """Locks, rights and lost connections have sentences of their own."""
    if isinstance(error, QadbError):
        return running is not None and isinstance(error, (DatabaseFailure, ConflictError))
    return True


def _failure(run: _Run, error: Exception) -> MigrationFailed:
    reason = first_line(run.database.url.redact(str(error))) or type(error).__name__
    if run.running is None:
        return MigrationFailed(
            f"The revisions can't be run: {reason}", hint="No revision was begun."
        )
    return MigrationFailed(
        f"Revision {run.running} failed: {reason}",
        hint="What it had done is rolled back; `qadb status` shows where the database stands.",
    )


def first_line(text: str) -> str:
    """The first line that says anything; drivers put statements and positions after it."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _verify(database: Database, target: str | None) -> None:
    """Ask a new connection: a run can return normally and have committed nothing."""
    with database.connect(read_only=True) as connection:
        found = read_state_on(connection, database)
    if found.revision != target:
        raise MigrationFailed(
            f"The database stands at {found.revision or BASE} after the run, "
            f"not at {target or BASE}: not everything was committed.",
            hint="Run it again; if it stays so, report it with the output of --debug.",
        )
