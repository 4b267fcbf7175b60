"""Progress: how long work tells its caller how far it is.

Owns the event and the callback's shape. Showing progress is the caller's work: operations and
backends report, and never know whether anybody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Unit = Literal["bytes", "rows", "steps"]


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """One report of how far a piece of work is.

    Attributes:
        label: what is being done, the same text for the whole piece of work.
        done: units finished so far.
        total: units in all, or None while unknown.
        unit: what is counted.
    """

    label: str
    done: int
    total: int | None
    unit: Unit


class Progress(Protocol):
    """Receives progress; called from the working thread, so it must return quickly."""

    def __call__(self, event: ProgressEvent) -> None:
        """Take notice of an event."""
        ...


def no_progress(event: ProgressEvent) -> None:
    """Ignore progress: the default wherever a caller passes none."""
