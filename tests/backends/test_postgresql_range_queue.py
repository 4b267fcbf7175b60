"""Ranges handed from thread to thread: each whole and in order, or an end for everybody."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from qadb.backends.postgresql.range_queue import PIECES_WAITING, Over, RangeQueue

PIECES = PIECES_WAITING * 5  # more than may wait: somebody has to take them meanwhile


def test_ranges_of_many_givers_stay_together() -> None:
    queue = RangeQueue[int](3, threading.Event())

    def give(number: int) -> None:
        for about in range(number, 30, 3):
            given = queue.begin(about)
            for piece in range(PIECES):
                given.give(b"%d" % piece)
            given.end()
        queue.end()

    found = {}
    with ThreadPoolExecutor(3) as pool:
        for number in range(3):
            pool.submit(give, number)
        for _ in range(3):
            while (taken := queue.take()) is not None:
                found[taken.about] = list(taken)

    assert found == {about: [b"%d" % piece for piece in range(PIECES)] for about in range(30)}


def test_many_take_what_one_gives() -> None:
    queue = RangeQueue[int](1, threading.Event())

    def take() -> dict[int, list[bytes]]:
        found = {}
        while (taken := queue.take()) is not None:
            found[taken.about] = list(taken)
        return found

    with ThreadPoolExecutor(3) as pool:
        takers = [pool.submit(take) for _ in range(3)]
        for about in range(30):
            given = queue.begin(about)
            for piece in range(PIECES):
                given.give(b"%d" % piece)
            given.end()
        for _ in takers:
            queue.end()
        found = [taker.result() for taker in takers]

    assert sum(map(len, found)) == 30
    every = {about: pieces for each in found for about, pieces in each.items()}
    assert every == {about: [b"%d" % piece for piece in range(PIECES)] for about in range(30)}


@pytest.mark.parametrize("waits_for", ["room for a range", "room for a piece", "range", "piece"])
def test_whoever_waits_ends_when_nothing_more_is_wanted(waits_for: str) -> None:
    is_over = threading.Event()
    queue = RangeQueue[int](1, is_over)

    def wait() -> None:
        match waits_for:
            case "room for a range":
                queue.begin(1)
                queue.begin(2)
            case "room for a piece":
                given = queue.begin(1)
                for _ in range(PIECES):
                    given.give(b"x")
            case "range":
                queue.take()
            case _:
                list(queue.begin(1))

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        is_over.set()
        with pytest.raises(Over):
            waiting.result(10)
