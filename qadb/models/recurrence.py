"""Recurrence rules of RFC 5545, section 3.3.10: which texts are one.

Owns the rule for columns that hold them. The database's CHECK sees the characters and the
frequency, the model every part: its form, since python-dateutil reads much that is no rule, and by
python-dateutil whether it can be evaluated. What dates a rule yields is found out in repositories.
"""

from __future__ import annotations

import re
from datetime import datetime

from qadb.models.rules import DIGITS, UPPER_CASE, Rule, of_one_column

FREQUENCIES = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")

_WEEKDAY = "(?:MO|TU|WE|TH|FR|SA|SU)"
_POSITIVE = "[1-9][0-9]{0,8}"
_SIGNED = "[+-]?[1-9][0-9]{0,2}"
_SECONDS = re.compile("(?<=BYSECOND=)[0-9,]+")


def _list_of(item: str) -> str:
    return f"{item}(?:,{item})*"


_PARTS = {
    name: re.compile(pattern)
    for name, pattern in {
        "FREQ": "|".join(FREQUENCIES),
        "UNTIL": "[0-9]{8}(?:T[0-9]{6}Z?)?",
        "COUNT": _POSITIVE,
        "INTERVAL": _POSITIVE,
        "BYSECOND": _list_of("(?:[0-5]?[0-9]|60)"),
        "BYMINUTE": _list_of("[0-5]?[0-9]"),
        "BYHOUR": _list_of("(?:[01]?[0-9]|2[0-3])"),
        "BYDAY": _list_of(f"(?:[+-]?[1-9][0-9]?)?{_WEEKDAY}"),
        "BYMONTHDAY": _list_of("[+-]?(?:0?[1-9]|[12][0-9]|3[01])"),
        "BYYEARDAY": _list_of(_SIGNED),
        "BYWEEKNO": _list_of("[+-]?[1-9][0-9]?"),
        "BYMONTH": _list_of("(?:0?[1-9]|1[0-2])"),
        "BYSETPOS": _list_of(_SIGNED),
        "WKST": _WEEKDAY,
    }.items()
}


def recurrence(column: str) -> Rule:
    """The text is a recurrence rule, without the word RRULE before it."""
    characters = f"trim({column}, '{UPPER_CASE}{DIGITS}=;,+-') = ''"
    known = " OR ".join(f"';' || {column} || ';' LIKE '%;FREQ={word};%'" for word in FREQUENCIES)
    return of_one_column(column, "rfc5545", f"{characters} AND ({known})", _problem)


def _problem(value: object) -> str | None:
    parts = [part.partition("=") for part in str(value).split(";")]
    names = [name for name, _, _ in parts]
    for name, _, text in parts:
        if name not in _PARTS:
            return f"has no part called {name!r} (RFC 5545)"
        if not _PARTS[name].fullmatch(text):
            return f"cannot have {name}={text} (RFC 5545)"
    if len({*names}) < len(names) or "FREQ" not in names:
        return "must have FREQ, and every part once (RFC 5545)"
    if {"COUNT", "UNTIL"} <= {*names}:
        return "cannot have both COUNT and UNTIL (RFC 5545)"
    return _problem_of_library(expandable(str(value)))


def expandable(rule: str) -> str:
    """Return the rule for python-dateutil, which has no leap seconds: 60 is 59 (section 3.3.12)."""
    return _SECONDS.sub(_second_59, rule)


def _second_59(seconds: re.Match[str]) -> str:
    return ",".join(dict.fromkeys("59" if s == "60" else s for s in seconds[0].split(",")))


def _problem_of_library(rule: str) -> str | None:
    """Whether an interval ever meets the other parts depends on the start, so it is left out."""
    from dateutil.rrule import rrulestr  # noqa: PLC0415 - most processes see no rule

    plain = ";".join(part for part in rule.split(";") if not part.startswith("INTERVAL="))
    try:
        rrulestr(plain, dtstart=datetime(2000, 1, 1), ignoretz=True)  # noqa: DTZ001 - never shown
    except ValueError as error:
        return f"can't be evaluated: {error} (RFC 5545)"
    return None
