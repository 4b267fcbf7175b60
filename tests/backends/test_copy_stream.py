"""The stream that COPY reads keeps what ended it, which psycopg2 would make a text of."""

from __future__ import annotations

import signal
from _thread import interrupt_main
from typing import TYPE_CHECKING, Any

import pytest

from qadb.backends.postgresql.copy_text import ROWS_AT_ONCE, CopyStream

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_rows_come_a_few_at_once_until_nothing_is_left() -> None:
    stream = CopyStream([n, None] for n in range(ROWS_AT_ONCE + 1))
    parts = [stream.read(8192) for _ in range(3)]
    assert [part.count(b"\n") for part in parts] == [ROWS_AT_ONCE, 1, 0]
    assert parts[0].startswith(b"0\t\\N\n1\t\\N\n")
    assert stream.error is None


def test_an_error_of_the_rows_is_kept() -> None:
    def rows() -> Iterator[list[int]]:
        yield [1]
        raise LookupError("no more")

    stream = CopyStream(rows())
    with pytest.raises(LookupError):
        stream.read(8192)
    assert isinstance(stream.error, LookupError)


def test_ctrl_c_is_kept_although_it_comes_as_reading_is_entered() -> None:
    stream = CopyStream([n] for n in range(10))
    # No Python code runs between the two: the signal is there when `read` begins.
    signals: Iterator[Any] = map(interrupt_main, [signal.SIGINT])
    interrupted = map(stream.read, signals)
    with pytest.raises(KeyboardInterrupt):
        next(interrupted)
    assert isinstance(stream.error, KeyboardInterrupt)
