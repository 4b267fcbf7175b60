"""Which moments of a recurrence rule fall into a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import pytest
from dateutil.rrule import rrulestr

from qadb.repositories.assistant.occurrences import occurrences

START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)  # a Monday


def found(rule: str, days: int = 14, start: datetime = START, since: int = 0) -> list[str]:
    first = start + timedelta(days=since)
    moments = occurrences(rule, start, first, first + timedelta(days=days))
    return [f"{moment:%m-%d %H:%M:%S}" for moment in moments]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", ["11-02 09:30:00", "11-04 09:30:00", "11-09 09:30:00"]),
        ("FREQ=DAILY;UNTIL=20261104T093000Z;INTERVAL=2", ["11-02 09:30:00", "11-04 09:30:00"]),
        ("FREQ=DAILY;UNTIL=20261103T092959", ["11-02 09:30:00"]),
        ("FREQ=DAILY;UNTIL=20261103", ["11-02 09:30:00", "11-03 09:30:00"]),
        (
            "FREQ=WEEKLY;UNTIL=99991231T235959Z",
            ["11-02 09:30:00", "11-09 09:30:00", "11-16 09:30:00"],
        ),
        ("FREQ=WEEKLY;UNTIL=00010101", []),
        ("FREQ=YEARLY;BYSECOND=59,60,0", ["11-02 09:30:00", "11-02 09:30:59"]),
        ("FREQ=DAILY;BYSECOND=60;COUNT=1", ["11-02 09:30:59"]),
        ("FREQ=WEEKLY;BYDAY=TU", ["11-03 09:30:00", "11-10 09:30:00"]),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", []),
    ],
)
def test_a_rule_yields_its_moments(rule: str, expected: list[str]) -> None:
    assert found(rule) == expected


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=DAILY;INTERVAL=3;COUNT=180",
        "FREQ=DAILY;COUNT=100",
        "FREQ=HOURLY;INTERVAL=7;BYDAY=MO,TU",
        "FREQ=MINUTELY;INTERVAL=50;BYHOUR=9,10;BYSETPOS=1",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU",
        "FREQ=WEEKLY;INTERVAL=3;COUNT=26",
        "FREQ=WEEKLY;BYDAY=MO,FR;COUNT=150",
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR,2MO",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY",
        "FREQ=MONTHLY;COUNT=20",
        "FREQ=YEARLY;BYWEEKNO=1,20,53;BYDAY=MO",
        "FREQ=YEARLY;BYMONTH=5,6",
        "FREQ=YEARLY;BYMONTHDAY=-1",
        "FREQ=YEARLY",
    ],
)
@pytest.mark.parametrize("day", [2, 30])
def test_an_old_rule_yields_what_it_would_by_walking(rule: str, day: int) -> None:
    start = START.replace(day=day)
    first, last = start + timedelta(days=530), start + timedelta(days=760)
    walked = rrulestr(rule, dtstart=start).between(first, last, inc=True)
    assert list(occurrences(rule, start, first, last)) == walked


def test_a_rule_of_two_thousand_years_is_found_at_once() -> None:
    start, now = datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
    for rule in ("FREQ=SECONDLY", "FREQ=SECONDLY;COUNT=999999999999"):
        moments = occurrences(rule, start, now, now + timedelta(days=7))
        assert list(islice(moments, 2)) == [now, now + timedelta(seconds=1)]


def test_a_rule_that_must_be_counted_through_is_refused() -> None:
    start, now = datetime(2015, 1, 1, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
    rule = "FREQ=MINUTELY;BYSECOND=1,2;COUNT=90000000"
    with pytest.raises(ValueError, match="more than 100000 moments"):
        list(occurrences(rule, start, now, now))


def test_parts_of_a_second_are_kept() -> None:
    start = START.replace(microsecond=7)
    later = start + timedelta(days=1)
    for rule in ("FREQ=DAILY", f"FREQ=DAILY;UNTIL={later:%Y%m%dT%H%M%SZ}"):
        assert list(occurrences(rule, start, later, later)) == [later]
        assert list(occurrences(rule, start, later + timedelta(microseconds=1), later)) == []


def test_the_end_of_time_is_no_error() -> None:
    start = datetime(9999, 12, 30, 12, tzinfo=UTC)
    end = datetime.max.replace(tzinfo=UTC)
    for rule in ("FREQ=DAILY", "FREQ=DAILY;UNTIL=99991231"):
        assert list(occurrences(rule, start, start, end)) == [start, start + timedelta(days=1)]


def test_other_zones_are_turned_to_utc() -> None:
    start = datetime(2026, 11, 3, 1, tzinfo=timezone(timedelta(hours=9)))
    (moment,) = occurrences("FREQ=WEEKLY;BYDAY=MO;COUNT=1", start, start, start)
    assert (moment, moment.tzinfo) == (start, UTC)


def test_what_is_no_rule_is_refused() -> None:
    for rule in ("FREQ=DAILY;FOO=1", "FREQ=HOURLY;INTERVAL=2;BYHOUR=1", "FREQ=DAILY;UNTIL=x"):
        with pytest.raises(ValueError, match=r"\w"):
            found(rule, start=START.replace(hour=2))
