"""Delete what retention lets go, beside those who write, and give the space back.

Decides when: the operations' lock, the time limit, the order. Which rows go and how they go is
`qadb.cleaning`'s. A plan asks the same questions and deletes nothing.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.cleaning.deleting import Deleter, count_rows
from qadb.cleaning.holds import HoldReader
from qadb.cleaning.keeping import Keeper, find_last
from qadb.cleaning.pace import Pace
from qadb.cleaning.rules import Rule, Wishes, find_rules
from qadb.cleaning.subjects import Candidate, candidates, make_subject
from qadb.cleaning.trail import Trail
from qadb.cleaning.unreferenced import find_unreferenced
from qadb.operations.cleanup_report import (
    CleanupReport,
    PolicyOutcome,
    TableCleanup,
    Tally,
    by_table,
    estimate_bytes,
)
from qadb.operations.common import (
    LOCK_TIMEOUT_SECONDS,
    WAIT_LOCK_SECONDS,
    say_nothing,
    tell_about_waiting,
)
from qadb.progress import ProgressEvent, no_progress
from qadb.revisions.history import record_entry
from qadb.revisions.state import require_current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.backends.base_cleanup import Space
    from qadb.cleaning.subjects import Key, Subject
    from qadb.cleaning.unreferenced import Unreferenced
    from qadb.database import Database
    from qadb.progress import Progress
    from qadb.settings.retention import RetentionSetting

__all__ = [
    "CleanupOptions",
    "CleanupReport",
    "PolicyOutcome",
    "TableCleanup",
    "Wishes",
    "cleanup",
    "plan_cleanup",
]


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """How to clean up.

    Attributes:
        wishes: what is said of the policies.
        settings: what the configuration says of them, by table.
        tenant: the only one meant; None: all.
        is_fast: writers may be shut out for long.
        max_seconds: when to stop; None: when all is done.
        archive: a folder for what goes; None: it is kept nowhere.
        now: what ages count up to; None: the present.
    """

    wishes: Wishes = field(default_factory=Wishes)
    settings: Mapping[str, RetentionSetting] = field(default_factory=dict)
    tenant: str | None = None
    is_fast: bool = False
    max_seconds: float | None = None
    archive: Path | None = None
    now: datetime | None = None


def plan_cleanup(
    database: Database, options: CleanupOptions | None = None, *, with_sizes: bool = True
) -> CleanupReport:
    """Say what `cleanup` would delete and keep; writes nothing.

    Args:
        database: what to look at.
        options: as there.
        with_sizes: estimate bytes, which takes a look at whole tables.

    Raises:
        ConfigurationError: a table has no policy.
        RevisionMismatch, EmptyDatabase, UnmanagedDatabase: it is not at this qadb's revision.
    """
    work = _Work(database, options or CleanupOptions())
    work.require_current()
    tally = Tally()
    for rule in work.rules_in_force:
        for subject, _, keys, kept in work.find(rule):
            with work.read() as connection:
                tally.add(rule, count_rows(connection, subject, keys), kept)
    outcomes = tally.outcomes(work.rules)
    freed: int | None = None
    if with_sizes:
        outcomes, freed = _with_sizes(work, outcomes)
    return CleanupReport(True, True, by_table(outcomes), freed, (), outcomes)


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
        ConfigurationError: a table has no policy.
        RevisionMismatch, EmptyDatabase, UnmanagedDatabase: it is not at this qadb's revision.
        LockNotAvailable: another operation, or somebody using a table, did not end in time; what
            was deleted before is gone, with all that belongs to it.
    """
    options = options or CleanupOptions()
    started, began_at = time.monotonic(), datetime.now(UTC)
    waiting = tell_about_waiting(notify)
    work = _Work(database, options)
    with database.exclusive(wait_seconds=wait_lock_seconds, on_wait=waiting):
        revision = work.require_current()
        with database.cleaning() as connection:
            run = _Run(work, connection, lock_timeout_seconds, started, progress)
            run.delete_all()
            space = run.reclaim(notify)
        _record(database, revision, began_at, time.monotonic() - started)
    outcomes = run.tally.outcomes(work.rules)
    return CleanupReport(
        dry_run=False,
        complete=run.is_complete and space.is_complete,
        tables=by_table(outcomes),
        freed_bytes=space.freed_bytes,
        archived=(),
        policies=outcomes,
        space=space,
    )


class _Work:
    """What a plan and a cleanup have in common: rules, and the rows that they are about."""

    def __init__(self, database: Database, options: CleanupOptions) -> None:
        now = options.now or datetime.now(UTC)
        retention = database.schema.retention
        self.database = database
        self.options = options
        self.rules = find_rules(retention, options.settings, options.wishes, now)
        self.rules_in_force = [rule for rule in self.rules if rule.cutoff is not None]
        self.metadata = database.schema.metadata
        self.holds = HoldReader(self.metadata, retention.holds, now)
        self._unreferenced: dict[str, Unreferenced] | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A short transaction that reads, confined as the cleanup is."""
        with self.database.connect(read_only=True) as connection:
            self.database.backend.context.set_context(
                connection, tenant=self.options.tenant, actor=None
            )
            yield connection

    def require_current(self) -> str | None:
        """Raise unless the database stands at this qadb's revision, which is returned."""
        if not self.database.exists():
            from qadb.revisions.state import read_state, require_managed  # noqa: PLC0415 - seldom

            require_managed(self.database, read_state(self.database))
        with self.database.connect(read_only=True) as connection:
            return require_current(self.database, connection).revision

    def subject(self, rule: Rule) -> Subject:
        """The rule's table."""
        return make_subject(rule, self.metadata, self.options.tenant)

    def keeper(self, subject: Subject) -> Keeper:
        """Tells its rows apart, in this transaction and the next."""
        with self.read() as connection:
            last = find_last(connection, subject)
        together = (subject,) if subject.rule.policy.is_soft else ()
        return Keeper(subject, self.metadata, self.holds, last, together)

    def find(self, rule: Rule) -> Iterator[tuple[Subject, str, Sequence[Key], Mapping[str, int]]]:
        """Yield what goes, by tenant, with how many stay of those looked at."""
        subject = self.subject(rule)
        if rule.policy.is_soft:
            found = self.unreferenced()[subject.name]
            for tenant, portion in group_by_tenant(found.tenants):
                yield subject, tenant, [each.key for each in portion], {}
            yield subject, "", (), found.kept
            return
        keeper = self.keeper(subject)
        for tenant, portion in candidates(self.read, subject):
            with self.read() as connection:
                told = keeper.sort_out(connection, [each.key for each in portion])
            yield subject, tenant, told.going, told.kept

    def unreferenced(self) -> dict[str, Unreferenced]:
        """What goes of all softly deleted rows, found before the first one does."""
        if self._unreferenced is None:
            soft = [self.subject(rule) for rule in self.rules_in_force if rule.policy.is_soft]
            self._unreferenced = find_unreferenced(self.read, self.metadata, soft, self.holds)
        return self._unreferenced


def group_by_tenant(tenants: Mapping[Key, str]) -> Iterator[tuple[str, Sequence[Candidate]]]:
    """Keys as candidates of one row each, by tenant."""
    now = datetime.now(UTC)
    for tenant in sorted({*tenants.values()}):
        keys = sorted(key for key, owner in tenants.items() if owner == tenant)
        yield tenant, [Candidate(key, now, 1) for key in keys]


class _Run:
    """One cleanup under way."""

    def __init__(
        self,
        work: _Work,
        connection: Connection,
        lock_timeout_seconds: float,
        started: float,
        progress: Progress,
    ) -> None:
        self.tally = Tally()
        self.is_complete = True
        self._work = work
        self._connection = connection
        self._lock_timeout_seconds = lock_timeout_seconds
        self._started = started
        self._progress = progress
        self._rows = 0
        database, options = work.database, work.options
        with work.read() as reading:
            user = database.backend.connector.user_name(reading)
        self._trail = Trail(work.metadata, database.schema.retention.log_table, user)
        self._pace = Pace(database.backend.cleaner.rhythm(is_fast=options.is_fast))

    def time_left(self) -> float | None:
        """Seconds until it has to stop."""
        limit = self._work.options.max_seconds
        return None if limit is None else self._started + limit - time.monotonic()

    def delete_all(self) -> None:
        """Carry out every rule, as far as time allows."""
        for rule in self._work.rules_in_force:
            if self._is_over() or not self._delete(rule):
                self.is_complete = False
                return

    def _is_over(self) -> bool:
        left = self.time_left()
        return left is not None and left <= 0

    def _delete(self, rule: Rule) -> bool:
        """Carry out one rule; False where time ran out."""
        work = self._work
        subject = work.subject(rule)
        if rule.policy.is_soft:
            found = work.unreferenced()[subject.name]
            self.tally.add(rule, {}, found.kept)
            portions: Iterator[tuple[str, Sequence[Candidate]]] = group_by_tenant(found.tenants)
        else:
            portions = candidates(work.read, subject)
        deleter = Deleter(
            work.database,
            self._connection,
            subject,
            work.keeper(subject),
            self._trail,
            lock_timeout_seconds=self._lock_timeout_seconds,
        )
        return all(self._delete_portion(deleter, rule, *each) for each in portions)

    def _delete_portion(
        self, deleter: Deleter, rule: Rule, tenant: str, portion: Sequence[Candidate]
    ) -> bool:
        in_order = sorted(portion, key=lambda each: each.key)
        for batch in self._pace.batches(in_order):
            if self._is_over():
                return False
            taken = deleter.delete(tenant, [each.key for each in batch])
            self.tally.add(rule, taken.deleted, taken.kept)
            self._rows += sum(taken.deleted.values())
            self._progress(ProgressEvent("Deleting", self._rows, None, "rows"))
            self._pace.learn(sum(each.size for each in batch), taken.seconds)
        return True

    def reclaim(self, notify: Callable[[str], None]) -> Space:
        """Give the space back that rows took, those of an earlier cleanup too."""
        tables = sorted(
            {
                name
                for counts in self.tally.deleted.values()
                for name, rows in counts.items()
                if rows
            }
        )
        cleaner = self._work.database.backend.cleaner
        with self._work.database.translated():
            return cleaner.reclaim(
                self._connection,
                tables,
                is_fast=self._work.options.is_fast,
                time_left=self.time_left,
                notify=notify,
            )


def _with_sizes(
    work: _Work, outcomes: Sequence[PolicyOutcome]
) -> tuple[tuple[PolicyOutcome, ...], int | None]:
    with work.read() as connection:
        sizes = estimate_bytes(connection, work.database, outcomes)
    known = {name: size for name, size in sizes.items() if size is not None}
    is_known = len(known) == len(sizes)
    sized = tuple(
        replace(
            outcome,
            freed_bytes=sum(known.get(name, 0) for name, rows in outcome.tables.items() if rows)
            if is_known
            else None,
        )
        for outcome in outcomes
    )
    return sized, sum(known.values()) if is_known else None


def _record(
    database: Database, revision: str | None, began_at: datetime, elapsed_seconds: float
) -> None:
    with database.connect() as connection:
        record_entry(
            connection,
            database,
            "cleanup",
            revision=revision,
            applied_at=began_at,
            elapsed_seconds=elapsed_seconds,
        )
