"""What comes next in a user's calendar."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from qadb.models import Event, User
from qadb.repositories.assistant.events import EventRepository, Occurrence
from qadb.repositories.generic.base import Repository
from tests.repositories.test_conversations import user_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)  # a Sunday
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def add(session: Session, title: str, starts_at: datetime, **values: Any) -> Event:
    user = values.pop("user_id", None) or user_of(session)
    return EventRepository(session).create(user_id=user, title=title, starts_at=starts_at, **values)


def shown(found: Sequence[Occurrence]) -> list[tuple[str, timedelta]]:
    return [(each.event.title, each.starts_at - NOON) for each in found]


def test_events_of_the_next_days_come_in_order(acme: UnitOfWork) -> None:
    add(acme, "last", NOON + 7 * DAY)
    add(acme, "too late", NOON + 7 * DAY + timedelta(microseconds=1))
    add(acme, "now", NOON)
    add(acme, "also now", NOON)
    add(acme, "over", NOON - HOUR, ends_at=NOON)
    add(acme, "begun", NOON - HOUR, ends_at=NOON + timedelta(microseconds=1))
    add(acme, "was", NOON - timedelta(microseconds=1))
    gone = add(acme, "deleted", NOON + HOUR)
    EventRepository(acme).delete(gone)
    other = Repository(acme, User).create(username="ada").id
    add(acme, "another's", NOON + HOUR, user_id=other)
    events = EventRepository(acme)
    found = events.get_upcoming(user_of(acme), now=NOON)
    assert shown(found) == [
        ("begun", -HOUR),
        ("now", timedelta()),
        ("also now", timedelta()),
        ("last", 7 * DAY),
    ]
    assert [each.ends_at for each in found[:2]] == [NOON + timedelta(microseconds=1), None]
    assert len(events.get_upcoming(user_of(acme), 6, now=NOON)) == 3
    assert len(events.get_upcoming(user_of(acme), 0, now=NOON)) == 3
    assert events.get_upcoming(user_of(acme), now=NOON + 99 * DAY) == ()


def test_recurring_events_appear_once_a_time(acme: UnitOfWork) -> None:
    rule = "FREQ=DAILY;UNTIL=20261125"
    daily = add(acme, "daily", NOON - 700 * DAY, ends_at=NOON - 700 * DAY + HOUR)
    EventRepository(acme).update(daily, recurrence_rule=rule)
    add(acme, "weekly", NOON - 69 * DAY, recurrence_rule="FREQ=WEEKLY;COUNT=11")
    add(acme, "once", NOON + 1 * DAY)
    add(acme, "later", NOON + 8 * DAY, recurrence_rule="FREQ=DAILY")
    add(acme, "over", NOON - 9 * DAY, recurrence_rule="FREQ=DAILY;COUNT=3")
    found = EventRepository(acme).get_upcoming(user_of(acme), now=NOON + HOUR / 2)
    assert shown(found) == [
        ("daily", timedelta()),
        ("daily", DAY),
        ("weekly", DAY),
        ("once", DAY),
        ("daily", 2 * DAY),
        ("daily", 3 * DAY),
    ]
    assert found[0].event is daily
    assert [each.ends_at for each in found[:2]] == [NOON + HOUR, NOON + DAY + HOUR]


def test_an_occurrence_that_is_not_over_counts(acme: UnitOfWork) -> None:
    rule = "FREQ=DAILY"
    add(acme, "long", NOON - 10 * DAY, ends_at=NOON - 8 * DAY, recurrence_rule=rule)
    found = EventRepository(acme).get_upcoming(user_of(acme), 1, now=NOON)
    assert shown(found) == [("long", n * DAY) for n in (-1, 0, 1)]


def test_a_rule_of_every_second_stops_at_the_limit(acme: UnitOfWork) -> None:
    add(acme, "tick", NOON - 4000 * DAY, recurrence_rule="FREQ=SECONDLY")
    add(acme, "once", NOON + timedelta(seconds=1))
    events, user = EventRepository(acme), user_of(acme)
    found = events.get_upcoming(user, limit=4, now=NOON)
    assert [each.event.title for each in found] == ["tick", "tick", "once", "tick"]
    assert len(events.get_upcoming(user, now=NOON)) == 1000


def test_a_rule_that_cannot_be_evaluated_is_left_out(
    acme: UnitOfWork, caplog: pytest.LogCaptureFixture
) -> None:
    rule = "FREQ=HOURLY;INTERVAL=2;BYHOUR=1"
    odd = add(acme, "never", NOON, recurrence_rule=rule)
    add(acme, "once", NOON)
    with caplog.at_level(logging.WARNING, logger="qadb.events"):
        found = EventRepository(acme).get_upcoming(user_of(acme), now=NOON)
    assert [each.event.title for each in found] == ["once"]
    assert f"Event {odd.id} is left out" in caplog.text


def test_the_end_of_time_is_no_error(acme: UnitOfWork) -> None:
    last = datetime(9999, 12, 30, 12, tzinfo=UTC)
    add(acme, "daily", last, ends_at=last + 23 * HOUR, recurrence_rule="FREQ=DAILY")
    add(acme, "long", NOON, ends_at=last, recurrence_rule="FREQ=YEARLY;COUNT=2")
    events, user = EventRepository(acme), user_of(acme)
    found = events.get_upcoming(user, 10**8, now=last - DAY)
    assert [(each.event.title, each.starts_at) for each in found] == [
        ("long", NOON),
        ("daily", last),
    ]


def test_senseless_arguments_raise(acme: UnitOfWork) -> None:
    events, user = EventRepository(acme), user_of(acme)
    arguments: tuple[dict[str, Any], ...] = (
        {"days_ahead": -1},
        {"limit": 0},
        {"now": NOON.replace(tzinfo=None)},
    )
    for each in arguments:
        with pytest.raises(ValueError, match=r"can't be found|time zone"):
            events.get_upcoming(user, **each)


def test_events_of_another_tenant_stay_there(
    database: Database, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            user = user_of(session, tenant)
            for number in range(3):
                add(session, f"{tenant} once", NOON + number * HOUR, user_id=user)
                rule = {"recurrence_rule": "FREQ=DAILY;COUNT=1"}
                add(session, f"{tenant} daily", NOON + number * HOUR, user_id=user, **rule)
    with database.session(tenant="rival") as session:
        rivals = user_of(session, "rival")
    with database.session(tenant="acme", read_only=True) as session:
        assert EventRepository(session).get_upcoming(rivals, now=NOON) == ()
    with database.session(tenant="acme") as session:
        own = session.scalars(select(User.id)).one()
        with queries() as seen:
            assert len(EventRepository(session).get_upcoming(own, now=NOON)) == 6
        assert len(seen) == 2
    with Session(database.engine()) as plain:
        assert len(EventRepository(plain).get_upcoming(rivals, now=NOON)) == 6
