"""When a recurrence rule of RFC 5545 falls into a period; python-dateutil evaluates it.

Owns what surrounds the library: everything is UTC, a rule that is old or never fulfilled costs no
more than a young one, and what can't be bounded is refused. Which texts are a rule is said in
`qadb.models.recurrence`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from qadb.models.recurrence import expandable

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PASSED = 100_000

_PERIODS = {
    "SECONDLY": timedelta(seconds=1),
    "MINUTELY": timedelta(minutes=1),
    "HOURLY": timedelta(hours=1),
    "DAILY": timedelta(days=1),
    "WEEKLY": timedelta(weeks=1),
}
_ONE_EACH = frozenset({"FREQ", "INTERVAL", "COUNT", "WKST"})
_WHICH_DAYS = frozenset({"BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY"})

# The Gregorian calendar repeats itself, weekdays included.
_CYCLE_YEARS, _CYCLE = 400, timedelta(days=146_097)
_LAST_YEAR = 9999


def occurrences(
    rule: str, starts_at: datetime, earliest: datetime, latest: datetime
) -> Iterator[datetime]:
    """Yield the moments of a rule from one moment to another, both included, in order.

    The rule is evaluated in UTC. An UNTIL without Z is UTC too, and a date alone lasts to the end
    of the day; second 60 is second 59, as the RFC wants it where there are no leap seconds. The
    start itself is a moment only if it fits the rule.

    Args:
        rule: as an event holds it.
        starts_at: DTSTART, aware.
        earliest: aware.
        latest: aware.

    Raises:
        ValueError: it is no rule, or too many of its moments have to be counted to get there.
    """
    # Where nothing fits, the library seeks up to the year 9999: so let that be near.
    cycles = max(0, (_LAST_YEAR - latest.astimezone(UTC).year) // _CYCLE_YEARS) * _CYCLE
    start, first, last = (
        moment.astimezone(UTC).replace(tzinfo=None) + cycles
        for moment in (starts_at, earliest, latest)
    )
    below_second = timedelta(microseconds=start.microsecond)
    parts = _parts(expandable(rule))
    until = parts.pop("UNTIL", None)
    if until is not None and _moment(until) < last - cycles:
        last = _moment(until) + cycles + below_second
    for moment in _from(parts, start.replace(microsecond=0), max(first, start) - below_second):
        if moment + below_second > last:
            return
        yield (moment + below_second - cycles).replace(tzinfo=UTC)


def _parts(rule: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in rule.split(";"))
    return {name: text for name, _, text in pairs}


def _moment(until: str) -> datetime:
    """A date alone means the whole day."""
    stated = until.removesuffix("Z") if "T" in until else f"{until}T235959"
    return datetime.strptime(stated, "%Y%m%dT%H%M%S")  # noqa: DTZ007 - UTC, like all here


def _from(parts: dict[str, str], start: datetime, first: datetime) -> Iterator[datetime]:
    from dateutil.rrule import rrulestr  # noqa: PLC0415 - few need it

    nearer = _nearer(parts, start, first)
    if nearer is None:
        return
    parts, start = nearer
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    moments = iter(rrulestr(text, dtstart=start))
    for moment in islice(moments, MOST_PASSED):
        if moment >= first:
            yield moment
            yield from moments
            return
    if next(moments, None) is not None:
        raise ValueError(f"more than {MOST_PASSED} moments of {text} have passed")


def _nearer(
    parts: dict[str, str], start: datetime, first: datetime
) -> tuple[dict[str, str], datetime] | None:
    """Let a rule start one of its intervals before a moment instead of long before it.

    Whole intervals change nothing, except for rules that count: of these the plain ones have one
    moment in each interval, the others have to be counted through. None: it has counted to its end.
    """
    counts = "COUNT" in parts
    if counts and not _ONE_EACH.issuperset(parts):
        return parts, start
    frequency, interval = parts["FREQ"], int(parts.get("INTERVAL", "1"))
    if frequency not in _PERIODS:
        return (parts, start) if counts else _nearer_by_calendar(parts, start, first)
    passed = int((first - start) / _PERIODS[frequency]) // interval - 1
    if passed <= 0:
        return parts, start
    if counts:
        left = int(parts["COUNT"]) - passed
        if left <= 0:
            return None
        parts = {**parts, "COUNT": str(left)}
    return parts, start + passed * interval * _PERIODS[frequency]


def _nearer_by_calendar(
    parts: dict[str, str], start: datetime, first: datetime
) -> tuple[dict[str, str], datetime]:
    """The same for months and years: what the start says about the day is written out."""
    months = 12 if parts["FREQ"] == "YEARLY" else 1
    interval = months * int(parts.get("INTERVAL", "1"))
    begun = start.year * 12 + (0 if months > 1 else start.month - 1)
    passed = (first.year * 12 + first.month - 1 - begun) // interval - 1
    if passed <= 0:
        return parts, start
    if _WHICH_DAYS.isdisjoint(parts):
        parts = {**parts, "BYMONTHDAY": str(start.day)}
        if months > 1:
            parts.setdefault("BYMONTH", str(start.month))
    year, month = divmod(begun + passed * interval, 12)
    return parts, start.replace(year=year, month=month + 1, day=1)
