"""Pace: how many rows the next transaction deletes, and how long to wait before it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qadb.backends.base_cleanup import Rhythm
    from qadb.cleaning.subjects import Candidate

MOST_GROWTH = 2.0
LEAST_ROWS = 10


class Pace:
    """Adapts the size of transactions to what the last ones took.

    Args:
        rhythm: the engine's.
        sleep: how it waits.
    """

    def __init__(self, rhythm: Rhythm, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._rhythm = rhythm
        self._sleep = sleep
        self._rows = float(rhythm.first_rows)

    @property
    def next_rows(self) -> int:
        """About how many rows the next transaction should delete."""
        return int(self._rows)

    def batches(self, candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
        """Cut candidates into transactions, each sized when it is asked for; rows stay whole."""
        start = 0
        while start < len(candidates):
            end, rows = start, 0
            while end < len(candidates) and (end == start or rows < self.next_rows):
                rows += candidates[end].size
                end += 1
            yield candidates[start:end]
            start = end

    def learn(self, rows: int, seconds: float) -> None:
        """Note what a transaction took for so many expected rows, and rest.

        A small one that was short tells nothing: most of it was its beginning and end.
        """
        is_telling = rows >= self._rows / 2 or seconds > self._rhythm.batch_seconds
        if rows > 0 and seconds > 0 and is_telling:
            wanted = rows / seconds * self._rhythm.batch_seconds
            wanted = min(wanted, self._rows * MOST_GROWTH, self._rhythm.most_rows)
            self._rows = max(wanted, LEAST_ROWS)
        self._sleep(seconds * self._rhythm.rest)
