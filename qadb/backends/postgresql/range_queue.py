"""Ranges of a table's rows, handed from thread to thread in pieces.

A range is a COPY's own output, or the input of one, so its pieces stay together and in their order:
one thread gives them, another takes them all. Both may be at work on it at once.
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

T = TypeVar("T")
About = TypeVar("About")

PIECES_WAITING = 8  # of a range; more would only take memory
WAIT_SECONDS = 0.1


class Over(Exception):
    """Nothing more is wanted."""


class QueuedRange(Generic[About]):
    """Pieces of a range; iterating waits for the next one until the range has ended.

    Attributes:
        about: what whoever takes it has to know.
    """

    def __init__(self, about: About, is_over: Event) -> None:
        self.about = about
        self._is_over = is_over
        self._pieces: Queue[bytes | None] = Queue(PIECES_WAITING)

    def give(self, data: bytes) -> None:
        """Add a piece; waits where several have not been taken."""
        _put(self._pieces, data, self._is_over)

    def end(self) -> None:
        """Nothing more is added."""
        _put(self._pieces, None, self._is_over)

    def __iter__(self) -> Iterator[bytes]:
        while (data := _take(self._pieces, self._is_over)) is not None:
            yield data


class RangeQueue(Generic[About]):
    """Ranges in the order in which they were begun.

    What waits in it raises Over when `is_over` is set.

    Args:
        room: how many ranges may wait.
        is_over: set when nothing more is wanted.
    """

    def __init__(self, room: int, is_over: Event) -> None:
        self._is_over = is_over
        self._ranges: Queue[QueuedRange[About] | None] = Queue(room)

    def begin(self, about: About) -> QueuedRange[About]:
        """Add a range, whose pieces are still to be given."""
        made = QueuedRange(about, self._is_over)
        _put(self._ranges, made, self._is_over)
        return made

    def end(self) -> None:
        """One who gives or takes has nothing more to expect."""
        _put(self._ranges, None, self._is_over)

    def take(self) -> QueuedRange[About] | None:
        """What is next; None for each `end`."""
        return _take(self._ranges, self._is_over)


def _put(queue: Queue[T], item: T, is_over: Event) -> None:
    while not is_over.is_set():
        with suppress(Full):
            queue.put(item, timeout=WAIT_SECONDS)
            return
    raise Over


def _take(queue: Queue[T], is_over: Event) -> T:
    while not is_over.is_set():
        with suppress(Empty):
            return queue.get(timeout=WAIT_SECONDS)
    raise Over
