"""Times in reports: durations and timestamps in every spelling that tools write.

Owns the reading of one attribute's text. A value that can be read in two ways, or not at all, is a
`Remark` instead of a guess. It leaves to the caller what a missing zone means.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from qadb.reports.remarks import Remark

MAX_TEST_SECONDS: Final = 11 * 86_400.0
MAX_SUITE_SECONDS: Final = 366 * 86_400.0
_FIRST_YEAR, _LAST_YEAR = 1970, 2199

_UNIT_SECONDS: Final = {
    "": 1.0,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "millis": 1e-3,
    "milliseconds": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ns": 1e-9,
}
_QUANTITY = re.compile(
    r"([+-]?)([0-9]*[.,]?[0-9][0-9.,]*(?:e[+-]?[0-9]{1,3})?)\s*([a-zµμ]*)", re.IGNORECASE
)
_CLOCK = re.compile(r"([0-9]{1,5}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]+)?)")
_COMMA_GROUPS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]+|[0-9]{1,3}(?:,[0-9]{3}){2,}")
_DOT_GROUPS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+|[0-9]{1,3}(?:\.[0-9]{3}){2,}")
_EITHER_WAY = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")

_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:\s*T\s*|\s+)"
    r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"\s*(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.IGNORECASE,
)
_RFC_1123 = re.compile(
    r"(?:[a-z]{3,9},?\s+)?([0-9]{1,2})\s+([a-z]{3})[a-z]*\s+([0-9]{4})\s+"
    r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?\s*(Z|UTC|GMT|UT|[+-][0-9]{4})?",
    re.IGNORECASE,
)
_DATE_ONLY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")
_EPOCH_SECONDS = re.compile(r"[0-9]{10}(?:\.[0-9]+)?")
_EPOCH_MILLISECONDS = re.compile(r"[0-9]{13}")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def read_duration_ms(text: str, max_seconds: float = MAX_TEST_SECONDS) -> float | Remark | None:
    """Read a stated duration.

    Returns:
        milliseconds with three decimals; None for a blank text; a remark for what is ambiguous,
        negative, no number, or longer than ``max_seconds``.
    """
    try:
        seconds = float(text)
    except ValueError:
        if not text or text.isspace():
            return None
        read = _read_quantity(text.strip())
        if isinstance(read, Remark):
            return read
        seconds = read
    if 0.0 <= seconds <= max_seconds:
        # A third of round()'s time, and a report can state a million of them.
        return int(seconds * 1e6 + 0.5) / 1000
    return _why_not(seconds)


def _why_not(seconds: float) -> Remark:
    if seconds != seconds or seconds in (float("inf"), float("-inf")):  # noqa: PLR0124 (NaN)
        return Remark.TIME_UNREADABLE
    return Remark.TIME_NEGATIVE if seconds < 0 else Remark.TIME_ABSURD


def _read_quantity(text: str) -> float | Remark:
    """Read what is no plain number: separators, units, a clock."""
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, rest = clock.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(rest)
    quantity = _QUANTITY.fullmatch(text)
    if quantity is None or quantity[3].lower() not in _UNIT_SECONDS:
        return Remark.TIME_UNREADABLE
    digits = _plain_digits(quantity[2])
    if isinstance(digits, Remark):
        return digits
    try:
        value = float(quantity[1] + digits)
    except ValueError:
        return Remark.TIME_UNREADABLE
    return value * _UNIT_SECONDS[quantity[3].lower()]


def _plain_digits(digits: str) -> str | Remark:
    """Turn thousands' separators and a decimal comma into what float() reads."""
    if _COMMA_GROUPS.fullmatch(digits):
        return digits.replace(",", "")
    if _DOT_GROUPS.fullmatch(digits):
        return digits.replace(".", "").replace(",", ".")
    if _EITHER_WAY.fullmatch(digits):
        return Remark.TIME_AMBIGUOUS
    return digits.replace(",", ".")


def read_timestamp(text: str) -> datetime | Remark | None:
    """Read a stated moment.

    Returns:
        an aware datetime in UTC, or a naive one when no zone is stated; None for a blank text; a
        remark for a date alone, an unknown spelling, or an impossible year.
    """
    text = text.strip()
    if not text:
        return None
    try:
        moment = _read_moment(text)
        if moment is None:
            is_date = _DATE_ONLY.fullmatch(text) is not None
            return Remark.STAMP_DATE_ONLY if is_date else Remark.STAMP_UNREADABLE
        if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            return Remark.STAMP_OUT_OF_RANGE
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return Remark.STAMP_UNREADABLE


def _read_moment(text: str) -> datetime | None:
    """Try each spelling; raises ValueError for an impossible date or time of day."""
    iso = _ISO.fullmatch(text)
    if iso:
        year, month, day, hour, minute, second, fraction, zone = iso.groups()
        return datetime(
            *(int(year), int(month), int(day), int(hour), int(minute), int(second or 0)),
            microsecond=int(f"{fraction or '0':0<6.6}"),
            tzinfo=_zone(zone),
        )
    rfc = _RFC_1123.fullmatch(text)
    if rfc:
        day, month, year, hour, minute, second, zone = rfc.groups()
        number = _MONTHS.index(month.lower()) + 1
        clock = (int(hour), int(minute), int(second or 0))
        return datetime(int(year), number, int(day), *clock, tzinfo=_zone(zone))
    if _EPOCH_SECONDS.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    if _EPOCH_MILLISECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    return None


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
