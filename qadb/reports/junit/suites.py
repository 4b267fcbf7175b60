"""JUnit's suites: what an open one hands down to its cases, and the time of the whole.

Owns names, files and moments that cases inherit, and the adding up of durations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.reports.junit.attributes import Attributes, text_or_none, with_plain_names
from qadb.reports.junit.clock import Clock, inherited
from qadb.reports.times import MAX_SUITE_SECONDS

if TYPE_CHECKING:
    from datetime import datetime

    from qadb.reports.junit.dialect import DialectGuess
    from qadb.reports.junit.totals import Totals


@dataclass(slots=True)
class Suite:
    """A suite, or the root, while it is open.

    Attributes:
        duration_ms: its own time as stated.
        held_ms: time of the cases and suites in it, as far as they state any.
        is_timed: at least one of them does.
    """

    name: str | None = None
    file: str | None = None
    executed_at: datetime | None = None
    duration_ms: float | None = None
    held_ms: float = 0.0
    is_timed: bool = False


class SuiteElements:
    """Keeps the open suites; `current` is the innermost."""

    def __init__(self, clock: Clock, totals: Totals, guess: DialectGuess) -> None:
        self._clock = clock
        self._totals = totals
        self._guess = guess
        self._outer: list[Suite] = []
        self._root_holds_suites = False
        self.current = Suite()

    @property
    def total_ms(self) -> float | None:
        """Time of all that was closed so far, None when nothing stated any."""
        return round(self.current.held_ms, 3) if self.current.is_timed else None

    def open(self, attributes: Attributes, *, is_collection: bool) -> None:
        """Open `<testsuite>`, or `<testsuites>`, which lends its name to nothing."""
        attributes = with_plain_names(attributes)
        self._guess.see_suite(attributes)
        self._declare(attributes, is_collection=is_collection)
        outer = self.current
        self._outer.append(outer)
        self.current = Suite(
            name=None if is_collection else text_or_none(attributes.get("name")),
            file=text_or_none(attributes.get("file")) or outer.file,
            executed_at=inherited(self._clock.moment(attributes), outer.executed_at),
            duration_ms=self._clock.duration_ms(attributes, MAX_SUITE_SECONDS),
        )

    def _declare(self, attributes: Attributes, *, is_collection: bool) -> None:
        if not self._outer:
            self._root_holds_suites = is_collection
            self._totals.declare_root(attributes)
        elif len(self._outer) == 1 and self._root_holds_suites:
            self._totals.declare_suite(attributes)

    def close(self) -> None:
        """Close the innermost: hand its time up, as stated, or else what it holds.

        What is stated counts for the root and the suites directly below it only; deeper down it is
        often a part of a time, or told in another unit.
        """
        closed, self.current = self.current, self._outer.pop()
        if closed.duration_ms is not None and len(self._outer) <= 1:
            closed.held_ms, closed.is_timed = closed.duration_ms, True
        self.current.held_ms += closed.held_ms
        self.current.is_timed = self.current.is_timed or closed.is_timed
