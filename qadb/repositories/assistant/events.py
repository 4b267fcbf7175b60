"""Events in users' calendars, those that recur included."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import or_

from qadb.models import Event
from qadb.repositories.assistant.occurrences import occurrences
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.periods import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_OCCURRENCES = 1000

logger = logging.getLogger("qadb.events")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an event takes place."""

    event: Event
    starts_at: datetime
    ends_at: datetime | None


class EventRepository(Repository[Event]):
    """Events in users' calendars, those that recur too."""

    model = Event

    def get_upcoming(
        self,
        user_id: int,
        days_ahead: int = 7,
        *,
        limit: int = MOST_OCCURRENCES,
        now: datetime | None = None,
    ) -> tuple[Occurrence, ...]:
        """Return what takes place from now on, the next first; ties go by the event's id.

        What has begun and is not over counts. Events that recur appear once a time; a rule that
        can't be evaluated is left out with a warning in the log.

        Args:
            user_id: whose calendar.
            days_ahead: how far to look; what starts at the very end belongs to it.
            limit: return at most as many.
            now: aware; the present by default.

        Raises:
            ValueError: a limit below 1, or fewer days than none.
        """
        present = moment(now)
        if days_ahead < 0 or limit < 1:
            raise ValueError(f"{limit} events in {days_ahead} days can't be found")
        latest = _end_of(present, days_ahead)
        streams = [_upcoming(event, present, latest) for event in self._recurring(user_id, latest)]
        single = (
            Occurrence(event, event.starts_at, event.ends_at)
            for event in self._single(user_id, present, latest, limit)
        )
        in_order = merge(single, *streams, key=lambda each: (each.starts_at, each.event.id))
        return tuple(islice(in_order, limit))

    def _single(
        self, user_id: int, present: datetime, latest: datetime, limit: int
    ) -> Iterator[Event]:
        query = self.query(
            or_(Event.starts_at >= present, Event.ends_at > present),
            user_id=user_id,
            starts_at__lte=latest,
            recurrence_rule=None,
        )
        yield from self.session.scalars(query.order_by(Event.starts_at, Event.id).limit(limit))

    def _recurring(self, user_id: int, latest: datetime) -> Iterator[Event]:
        query = self.query(
            Event.recurrence_rule.is_not(None), user_id=user_id, starts_at__lte=latest
        )
        yield from self.session.scalars(query.order_by(Event.id))


def _end_of(present: datetime, days_ahead: int) -> datetime:
    try:
        return present + timedelta(days=days_ahead)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _upcoming(event: Event, present: datetime, latest: datetime) -> Iterator[Occurrence]:
    duration = None if event.ends_at is None else event.ends_at - event.starts_at
    earliest = max(event.starts_at, _start_of(present, duration or timedelta()))
    try:
        for starts_at in occurrences(
            event.recurrence_rule or "", event.starts_at, earliest, latest
        ):
            ends_at = None if duration is None else starts_at + duration
            if starts_at >= present or (ends_at is not None and ends_at > present):
                yield Occurrence(event, starts_at, ends_at)
    except OverflowError:  # the next one would end after the year 9999
        return
    except ValueError as error:
        logger.warning("Event %s is left out: %s", event.id, error)


def _start_of(present: datetime, duration: timedelta) -> datetime:
    try:
        return present - duration
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
