"""Deleting: rows and what follows them, in one short transaction that asks once more what stays."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from qadb.backends.listed_keys import is_listed
from qadb.backends.values import Actor
from qadb.cleaning.archive import read_versions
from qadb.cleaning.subjects import KEYS
from qadb.cleaning.trail import AGENT
from qadb.errors import LockNotAvailable, TransactionConflict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Delete, MetaData

    from qadb.cleaning.archive import Archived
    from qadb.cleaning.keeping import Keeper
    from qadb.cleaning.subjects import Key, Subject
    from qadb.cleaning.trail import Trail
    from qadb.database import Database

IN_USE, CHANGED = "in_use", "changed"

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Taken:
    """What one transaction did.

    Attributes:
        deleted: rows by table.
        kept: rows of the subject that stay, by reason.
        seconds: how long others may have waited for it.
    """

    deleted: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class _Changed(Exception):
    """What follows the rows is not what was archived."""


class Deleter:
    """Deletes rows of one subject.

    Args:
        database: where.
        connection: its own, from the engine's `Cleaner`.
        subject: whose rows.
        keeper: tells what stays.
        trail: records what goes.
        lock_timeout_seconds: how long a statement waits for somebody else's lock.

    Attributes:
        rule: the subject's.
    """

    def __init__(
        self,
        database: Database,
        connection: Connection,
        subject: Subject,
        keeper: Keeper,
        trail: Trail,
        *,
        lock_timeout_seconds: float,
    ) -> None:
        self._database = database
        self._connection = connection
        self.rule = subject.rule
        self._subject = subject
        self.keeper = keeper
        self._trail = trail
        self._lock_timeout_seconds = lock_timeout_seconds
        # Made once: a transaction that waits for Python keeps writers waiting.
        query = select(subject.key).where(is_listed(subject.key, KEYS))
        self._locking = database.backend.cleaner.locking(query)
        self._deletions = _deletions(subject)

    def delete(self, tenant: str, keys: Sequence[Key], archived: Archived | None = None) -> Taken:
        """Delete what still goes of these rows; tried again where others are in the way.

        Args:
            tenant: whose they are.
            keys: which.
            archived: what of them is safe, and all that may go then; None asks for nothing.

        Raises:
            LockNotAvailable: somebody kept a lock for too long; nothing of these rows is gone.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._database.translated():
                    return self._delete(tenant, keys, archived)
            except _Changed:
                return Taken(kept=Counter({CHANGED: len(keys)}))
            except (LockNotAvailable, TransactionConflict):
                if attempt == ATTEMPTS:
                    raise
                time.sleep(FIRST_PAUSE_SECONDS * attempt)
        raise AssertionError("every attempt returns or raises")

    def _delete(self, tenant: str, keys: Sequence[Key], archived: Archived | None) -> Taken:
        connection, policy = self._connection, self.rule.policy
        with connection.begin():
            started = time.perf_counter()
            self._database.backend.cleaner.begin(
                connection,
                tenant=self._subject.tenant,
                actor=Actor(user_agent=AGENT),
                lock_timeout_seconds=self._lock_timeout_seconds,
                takes_log=policy.is_log,
            )
            locked = self._lock(keys)
            told = self.keeper.sort_out(connection, locked)
            taken = Taken(kept=told.kept)
            taken.kept[IN_USE] += self._count_passed_over(keys, locked)
            going: Sequence[Key] = told.going
            if archived is not None:
                going = self._unchanged(going, archived)
                taken.kept[CHANGED] += len(told.going) - len(going)
            if going:
                self._delete_rows(going, taken, archived)
                self._trail.record(connection, self._subject, tenant, going, taken.deleted)
            self._database.backend.context.clear_context(connection)
        return Taken(taken.deleted, +taken.kept, time.perf_counter() - started)

    def _lock(self, keys: Sequence[Key]) -> Sequence[Key]:
        """Keep others from changing the rows, or from referring to them; whose are in use stay."""
        if self._locking is None or self.rule.policy.is_log:
            return keys
        return sorted(self._connection.scalars(self._locking, {KEYS: keys}))

    def _count_passed_over(self, keys: Sequence[Key], locked: Sequence[Key]) -> int:
        missing = {*keys} - {*locked}
        if not missing:
            return 0
        key = self._subject.key
        query = select(func.count()).where(key.in_(missing), self._subject.expired())
        return self._connection.scalar(query) or 0

    def _unchanged(self, keys: Sequence[Key], archived: Archived) -> Sequence[Key]:
        now = read_versions(self._connection, self._subject, keys) if keys else {}
        return [k for k in keys if k in archived.versions and archived.versions[k] == now.get(k)]

    def _delete_rows(self, keys: Sequence[Key], taken: Taken, archived: Archived | None) -> None:
        for table, statement in self._deletions:
            rows = self._connection.execute(statement, {KEYS: keys}).rowcount
            taken.deleted[table] += rows
            if archived is not None and table in archived.followers:
                safe = archived.followers[table]
                if rows != sum(safe.get(key, 0) for key in keys):
                    raise _Changed


def _deletions(subject: Subject) -> list[tuple[str, Delete]]:
    """What deletes rows of the subject's keys, what follows them first."""
    metadata: MetaData = subject.table.metadata
    followers = subject.rule.policy.followers
    columns = [metadata.tables[each.table].c[each.column] for each in followers]
    return [
        (column.table.name, delete(column.table).where(is_listed(column, KEYS)))
        for column in (*columns, subject.key)
    ]


def count_rows(connection: Connection, subject: Subject, keys: Sequence[Key]) -> Counter[str]:
    """How many rows of each table `Deleter` would delete with these keys."""
    metadata: MetaData = subject.table.metadata
    counts = Counter({subject.name: len(keys)})
    if not keys:
        return counts
    for follower in subject.rule.policy.followers:
        column = metadata.tables[follower.table].c[follower.column]
        query = select(func.count()).select_from(column.table).where(column.in_(keys))
        counts[follower.table] += connection.scalar(query) or 0
    return counts
