"""Numbers and times as a person reads them.

Machine output never comes through here: JSON carries plain numbers with their units in the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

_KILO = 1000
_SIZE_UNITS = ("kB", "MB", "GB", "TB", "PB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_DECIMAL_BELOW = 0.0095  # under 10 ms one decimal still says something
_ROUNDS_TO_SECOND = 0.9995
_ROUNDS_TO_MINUTE = 59.95


def format_count(count: int) -> str:
    """Format a number of things with thousands separators: ``1,234,567``."""
    return f"{count:,}"


def format_size(size_bytes: int) -> str:
    """Format a size in decimal units, as disks are sold: ``512 bytes``, ``1.2 MB``."""
    if abs(size_bytes) < _KILO:
        return f"{size_bytes} byte" if size_bytes == 1 else f"{size_bytes} bytes"
    power = 1
    while power < len(_SIZE_UNITS) and abs(round(size_bytes / _KILO**power, 1)) >= _KILO:
        power += 1
    return f"{size_bytes / _KILO**power:,.1f} {_SIZE_UNITS[power - 1]}"


def format_duration(seconds: float) -> str:
    """Format a duration by its two largest units: ``340 ms``, ``2.3 s``, ``2 min 3 s``."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < _DECIMAL_BELOW:
        return f"{seconds * _KILO:.1f} ms"
    if seconds < _ROUNDS_TO_SECOND:
        return f"{seconds * _KILO:.0f} ms"
    if seconds < _ROUNDS_TO_MINUTE:
        return f"{seconds:.1f} s"
    return _format_long(round(seconds))


def _format_long(seconds: int) -> str:
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR} h"


def format_time(moment: datetime, zone: tzinfo | None = None) -> str:
    """Format an aware time with its offset, in local time or ``zone``, to the second.

    Raises:
        ValueError: the time has no time zone, so nobody can say when it was.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone can't be shown")
    return moment.astimezone(zone).isoformat(sep=" ", timespec="seconds")


def format_percentage(fraction: float) -> str:
    """Format a fraction as a percentage that says 100 % only when nothing is missing."""
    percent = round(fraction * 100, 1)
    if 0 < fraction < 1:
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f} %"
