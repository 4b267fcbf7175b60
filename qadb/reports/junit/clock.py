"""Times of one JUnit file: durations and moments, with their doubts remarked.

Owns which attributes state a time and what a missing zone means. The spellings are read in
`qadb.reports.times`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from qadb.reports.remarks import Remark, Remarks
from qadb.reports.times import MAX_TEST_SECONDS, read_duration_ms, read_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Unreadable:
    """The type of `UNREADABLE`."""


UNREADABLE: Final = Unreadable()


class Clock:
    """Reads the times that elements state and keeps the earliest moment."""

    def __init__(self, remarks: Remarks, line: Callable[[], int]) -> None:
        self._remarks = remarks
        self._line = line
        self.earliest: datetime | None = None

    def duration_ms(
        self, attributes: Mapping[str, str], max_seconds: float = MAX_TEST_SECONDS
    ) -> float | None:
        """Milliseconds that the element states, None when it states none that can be read."""
        text = attributes.get("time") or attributes.get("duration")
        if text is None:
            return None
        read = read_duration_ms(text, max_seconds)
        if isinstance(read, Remark):
            self._remark(read, text)
            return None
        return read

    def moment(self, attributes: Mapping[str, str]) -> datetime | Unreadable | None:
        """When the element says it began: aware, in UTC; None when it says nothing."""
        text = attributes.get("timestamp")
        read = None if text is None else read_timestamp(text)
        if text is None or read is None:
            return None
        if isinstance(read, Remark):
            self._remark(read, text)
            return UNREADABLE
        if read.tzinfo is None:
            self._remark(Remark.STAMP_NO_ZONE, text)
            read = read.replace(tzinfo=UTC)
        if self.earliest is None or read < self.earliest:
            self.earliest = read
        return read

    def _remark(self, remark: Remark, text: str) -> None:
        line = 0 if self._remarks.is_known(remark) else self._line()
        self._remarks.add(remark, line, text)


def inherited(own: datetime | Unreadable | None, outer: datetime | None) -> datetime | None:
    """The moment of an element: its own, else the one around it; unreadable hides the outer."""
    if own is None:
        return outer
    return None if isinstance(own, Unreadable) else own
