"""A cleanup under way: rule after rule, batch after batch, as long as there is time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from qadb.cleaning.deleting import Deleter
from qadb.cleaning.pace import Pace
from qadb.cleaning.trail import Trail
from qadb.operations.cleanup_report import Tally
from qadb.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from qadb.backends.base_cleanup import Space
    from qadb.cleaning.archive import Archive, Archived
    from qadb.cleaning.rules import Rule
    from qadb.cleaning.subjects import Candidate, Subject
    from qadb.operations.cleanup_work import Work
    from qadb.progress import Progress

DECEMBER = 12


class Run:
    """Deletes on one connection.

    Args:
        work: what to delete.
        connection: its own, from the engine's `Cleaner`.
        archive: takes what goes first; None: nothing does.
        lock_timeout_seconds: how long a statement waits for somebody else's lock.
        started: monotonic time that the time limit counts from.
        progress: told of rows.

    Attributes:
        tally: what went and what stayed.
        is_complete: there was time for everything.
    """

    def __init__(
        self,
        work: Work,
        connection: Connection,
        archive: Archive | None,
        *,
        lock_timeout_seconds: float,
        started: float,
        progress: Progress,
    ) -> None:
        self.tally = Tally()
        self.is_complete = True
        self._work = work
        self._connection = connection
        self._archive = archive
        self._lock_timeout_seconds = lock_timeout_seconds
        self._started = started
        self._progress = progress
        self._rows = 0
        cleaner = work.database.backend.cleaner
        self._rhythm = cleaner.rhythm(is_fast=work.options.is_fast)
        cleaner.limit_waiting(connection, lock_timeout_seconds)
        with work.read() as reading:
            user = work.database.backend.connector.user_name(reading)
        self._trail = Trail(work.metadata, work.database.schema.retention.log_table, user)

    def time_left(self) -> float | None:
        """Seconds until it has to stop; None without a limit."""
        limit = self._work.options.max_seconds
        return None if limit is None else self._started + limit - time.monotonic()

    def delete_all(self) -> None:
        """Carry out every rule, as far as time allows."""
        self.is_complete = all(self._carry_out(rule) for rule in self._work.rules_in_force)

    def reclaim(self, notify: Callable[[str], None]) -> Space:
        """Give the space back that rows took, those of an earlier cleanup too."""
        counts = self.tally.deleted.values()
        tables = sorted({name for each in counts for name, rows in each.items() if rows})
        database = self._work.database
        with database.translated():
            return database.backend.cleaner.reclaim(
                self._connection,
                tables,
                is_fast=self._work.options.is_fast,
                time_left=self.time_left,
                notify=notify,
            )

    def _is_over(self) -> bool:
        left = self.time_left()
        return left is not None and left <= 0

    def _carry_out(self, rule: Rule) -> bool:
        """False where time ran out."""
        if self._is_over():
            return False
        work = self._work
        subject = work.subject(rule)
        self.tally.add(rule, {}, work.kept_before(rule))
        deleter = Deleter(
            work.database,
            self._connection,
            subject,
            work.keeper(subject),
            self._trail,
            lock_timeout_seconds=self._lock_timeout_seconds,
        )
        cleaner = work.database.backend.cleaner
        pace = Pace(self._rhythm, lambda seconds: cleaner.rest(self._connection, seconds))
        if self._archive is not None:
            return self._carry_out_by_month(self._archive, subject, deleter, pace)
        portions = self._portions(subject)
        return all(self._delete(deleter, pace, *portion) for portion in portions)

    def _carry_out_by_month(
        self, archive: Archive, subject: Subject, deleter: Deleter, pace: Pace
    ) -> bool:
        """What was looked at and stays is counted by the deleter, not here."""
        for since, until in self._months(subject):
            portions = list(self._portions(subject, since, until))
            keys = sorted(each.key for _, portion in portions for each in portion)
            if not keys:
                continue
            if self._is_over():
                return False
            with self._work.read() as connection:
                going = deleter.keeper.sort_out(connection, keys).going
                archived = archive.write(connection, subject, f"{since:%Y-%m}", going)
            if not all(self._delete(deleter, pace, *each, archived) for each in portions):
                return False
        return True

    def _portions(
        self, subject: Subject, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[str, Sequence[Candidate]]]:
        return self._work.candidates(subject, since, until, with_places=self._rhythm.gathers)

    def _months(self, subject: Subject) -> Iterator[tuple[datetime, datetime]]:
        """From that of the oldest row to that of the cutoff."""
        with self._work.read() as connection:
            oldest = connection.scalar(select(func.min(subject.age)).where(subject.expired()))
        while oldest is not None:
            since = oldest.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            year = since.year + since.month // DECEMBER
            until = since.replace(year=year, month=since.month % DECEMBER + 1)
            yield since, until
            later = subject.age >= until
            with self._work.read() as connection:
                query = select(func.min(subject.age)).where(subject.expired(), later)
                oldest = connection.scalar(query)

    def _delete(
        self,
        deleter: Deleter,
        pace: Pace,
        tenant: str,
        portion: Sequence[Candidate],
        archived: Archived | None = None,
    ) -> bool:
        """Delete batch after batch; False where time ran out."""
        in_order = sorted(portion, key=lambda each: (each.place, each.key))
        for batch in pace.batches(in_order):
            if self._is_over():
                return False
            taken = deleter.delete(tenant, [each.key for each in batch], archived)
            self.tally.add(deleter.rule, taken.deleted, taken.kept)
            self._rows += sum(taken.deleted.values())
            self._progress(ProgressEvent("Deleting", self._rows, None, "rows"))
            pace.learn(sum(each.size for each in batch), taken.seconds)
        return True
