"""Warnings about a report, counted by kind so that memory stays flat however many there are.

Owns the kinds and their wording. When to remark is each reader's decision.
"""

from __future__ import annotations

from enum import Enum

_EXAMPLE_CHARS = 40


class Remark(Enum):
    """A kind of doubt: what it is about, what is the matter (one, many), what was done."""

    TIME_AMBIGUOUS = (
        "time",
        ("has a comma that may mark", "have a comma that may mark"),
        "thousands or decimals; left empty",
    )
    TIME_NEGATIVE = ("time", ("is negative;", "are negative;"), "left empty")
    TIME_UNREADABLE = ("time", ("is no number;", "are no numbers;"), "left empty")
    TIME_ABSURD = ("time", ("is impossibly long;", "are impossibly long;"), "left empty")
    STAMP_NO_ZONE = (
        "timestamp",
        ("states no time zone;", "state no time zone;"),
        "read as UTC",
    )
    STAMP_DATE_ONLY = (
        "timestamp",
        ("is a date without a time;", "are dates without a time;"),
        "left empty",
    )
    STAMP_UNREADABLE = ("timestamp", ("is not readable;", "are not readable;"), "left empty")
    STAMP_OUT_OF_RANGE = (
        "timestamp",
        ("lies outside 1970 to 2199;", "lie outside 1970 to 2199;"),
        "left empty",
    )
    UNNAMED = ("test case", ("has no name;", "have no name;"), "called (unnamed)")
    VERDICT_MISSING = (
        "test case",
        ("says it failed and holds", "say they failed and hold"),
        "no failure or error; counted as passed",
    )
    OUTCOME_OUTSIDE_CASE = (
        "failure or error",
        ("stands outside any test case;", "stand outside any test case;"),
        "not counted",
    )
    ATTEMPTS_LEFT_OUT = (
        "earlier attempt",
        ("exceeds what is kept for one test;", "exceed what is kept for one test;"),
        "left out",
    )

    def sentence(self, count: int, where: str) -> str:
        """Say it for so many occurrences; ``where`` points at the first."""
        noun, (one, many), consequence = self.value
        if count == 1:
            return f"1 {noun} {one} {consequence} ({where})"
        plural = "failures or errors" if noun == "failure or error" else f"{noun}s"
        return f"{count:,} {plural} {many} {consequence} (first {where})"


class Remarks:
    """Counts remarks by kind and remembers where the first of each kind was."""

    def __init__(self) -> None:
        self._counts: dict[Remark, int] = {}
        self._first: dict[Remark, str] = {}

    def is_known(self, remark: Remark) -> bool:
        """Tell whether this kind occurred before; if so no line needs to be found for it."""
        return remark in self._counts

    def add(self, remark: Remark, line: int, example: str | None = None) -> None:
        """Count one; the line and the example matter for the first of its kind only."""
        if remark in self._counts:
            self._counts[remark] += 1
            return
        self._counts[remark] = 1
        shown = "" if example is None else f": {_shortened(example)!r}"
        self._first[remark] = f"at line {line:,}{shown}"

    def sentences(self) -> tuple[str, ...]:
        """One sentence a kind, in the order in which they first occurred."""
        return tuple(
            remark.sentence(count, self._first[remark]) for remark, count in self._counts.items()
        )


def _shortened(text: str) -> str:
    return text if len(text) <= _EXAMPLE_CHARS else f"{text[:_EXAMPLE_CHARS]}…"
