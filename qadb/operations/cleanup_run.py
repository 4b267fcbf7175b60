"""A cleanup under way: rule after rule, batch after batch, as long as there is time."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from qadb.cleaning.deleting import Deleter
from qadb.cleaning.pace import Pace
from qadb.cleaning.trail import Trail
from qadb.operations.cleanup_crew import Batch, Crew
from qadb.operations.cleanup_report import Tally
from qadb.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from qadb.backends.base_cleanup import Space
    from qadb.cleaning.archive import Archive, Archived
    from qadb.cleaning.keeping import Keeper
    from qadb.cleaning.rules import Rule
    from qadb.cleaning.subjects import Candidate, Subject
    from qadb.operations.cleanup_work import Work
    from qadb.progress import Progress

DECEMBER = 12


class Run:
    """Deletes what the rules let go.

    Args:
        work: what to delete.
        connect: opens a connection from the engine's `Cleaner`.
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
        connect: Callable[[], Connection],
        archive: Archive | None,
        *,
        lock_timeout_seconds: float,
        started: float,
        progress: Progress,
    ) -> None:
        self.tally = Tally()
        self.is_complete = True
        self._work = work
        self._archive = archive
        self._lock_timeout_seconds = lock_timeout_seconds
        self._started = started
        self._progress = progress
        self._rows = 0
        self._cleaner = cleaner = work.database.backend.cleaner
        self._rhythm = cleaner.rhythm(is_fast=work.options.is_fast)

        def connect_with_limit() -> Connection:
            connection = connect()
            cleaner.limit_waiting(connection, lock_timeout_seconds)
            return connection

        self._crew = Crew(cleaner, connect_with_limit, self._rhythm.sessions)
        with work.read() as reading:
            user = work.database.backend.connector.user_name(reading)
        self._trail = Trail(work.metadata, work.database.schema.retention.log_table, user)

    def time_left(self) -> float | None:
        """Seconds until it has to stop; None without a limit."""
        limit = self._work.options.max_seconds
        return None if limit is None else self._started + limit - time.monotonic()

    def delete_all(self) -> None:
        """Carry out every rule, as far as time allows."""
        for rule in self._work.rules_in_force:
            if not self._has_time():
                return
            self._carry_out(rule)

    def reclaim(self, notify: Callable[[str], None]) -> Space:
        """Give the space back that rows took, those of an earlier cleanup too."""
        self._crew.dismiss()
        counts = self.tally.deleted.values()
        tables = sorted({name for each in counts for name, rows in each.items() if rows})
        with self._work.database.translated():
            return self._cleaner.reclaim(
                self._crew.first,
                tables,
                is_fast=self._work.options.is_fast,
                time_left=self.time_left,
                notify=notify,
            )

    def _has_time(self) -> bool:
        """Whether to go on; where not, it is not complete."""
        left = self.time_left()
        self.is_complete = self.is_complete and (left is None or left > 0)
        return self.is_complete

    def _carry_out(self, rule: Rule) -> None:
        work = self._work
        subject = work.subject(rule)
        self.tally.add(rule, {}, work.kept_before(rule))
        make_keeper = work.make_keepers(subject)

        def make_deleter(connection: Connection) -> Deleter:
            return Deleter(
                work.database,
                connection,
                subject,
                make_keeper(),
                self._trail,
                lock_timeout_seconds=self._lock_timeout_seconds,
            )

        pace = Pace(self._rhythm, lambda seconds: self._cleaner.rest(self._crew.first, seconds))
        batches = self._batches(subject, pace, make_keeper)
        at_once = rule.policy.is_independent
        with closing(self._crew.delete(make_deleter, batches, at_once=at_once)) as done:
            for batch, taken in done:
                self.tally.add(rule, taken.deleted, taken.kept)
                self._rows += sum(taken.deleted.values())
                self._progress(ProgressEvent("Deleting", self._rows, None, "rows"))
                pace.learn(batch.size, taken.seconds)

    def _batches(
        self, subject: Subject, pace: Pace, make_keeper: Callable[[], Keeper]
    ) -> Iterator[Batch]:
        """Cut what is old enough into transactions, until time runs out."""
        for tenant, portion, archived in self._portions(subject, make_keeper):
            in_order = sorted(portion, key=lambda each: (each.place, each.key))
            for batch in pace.batches(in_order):
                if not self._has_time():
                    return
                keys = [each.key for each in batch]
                yield Batch(tenant, keys, sum(each.size for each in batch), archived)

    def _portions(
        self, subject: Subject, make_keeper: Callable[[], Keeper]
    ) -> Iterator[tuple[str, Sequence[Candidate], Archived | None]]:
        """What is old enough; with an archive month by month, each once that has it."""
        if self._archive is None:
            yield from ((*each, None) for each in self._candidates(subject))
            return
        keeper = make_keeper()
        for since, until in self._months(subject):
            portions = list(self._candidates(subject, since, until))
            keys = sorted(each.key for _, portion in portions for each in portion)
            if not keys:
                continue
            if not self._has_time():
                return
            with self._work.read() as connection:
                # What stays is counted by the deleter.
                going = keeper.sort_out(connection, keys).going
                archived = self._archive.write(connection, subject, f"{since:%Y-%m}", going)
            yield from ((*each, archived) for each in portions)

    def _candidates(
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
