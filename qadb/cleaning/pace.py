"""Pace: how many rows the next transaction deletes, and how long to wait before it."""

from __future__ import annotations

import statistics
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qadb.backends.base_cleanup import Rhythm
    from qadb.cleaning.subjects import Candidate

MOST_GROWTH = 2.0
SHORTEST_SECONDS = 1e-6
REMEMBERED = 5  # one that a busy machine held up says little


class Pace:
    """Adapts the size of transactions to what the last ones took.

    Args:
        rhythm: the engine's.
        rest: leaves the database to others for so many seconds.
    """

    def __init__(self, rhythm: Rhythm, rest: Callable[[float], object]) -> None:
        self._rhythm = rhythm
        self._rest = rest
        self._rows = float(rhythm.first_rows)
        self._rates: deque[float] = deque(maxlen=REMEMBERED)

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
        if rows > 0 and (rows >= self._rows / 2 or seconds > self._rhythm.batch_seconds):
            self._rates.append(rows / max(seconds, SHORTEST_SECONDS))
            wanted = statistics.median(self._rates) * self._rhythm.batch_seconds
            wanted = min(wanted, self._rows * MOST_GROWTH, self._rhythm.most_rows)
            self._rows = max(wanted, self._rhythm.least_rows)
        self._rest(seconds * self._rhythm.rest)
