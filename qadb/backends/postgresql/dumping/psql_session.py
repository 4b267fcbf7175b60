"""A psql that reads ranges of rows: it is told of one after the other, and says when it is done."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Protocol

from qadb.backends.postgresql.dumping.pieces import PIECE_BYTES

if sys.platform == "linux":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-")

CLOSING = "COMMIT;\n"

_PIPE_BYTES = 1 << 20
_LITTLE_BYTES = _PIPE_BYTES // 4
_GATHER_SECONDS = 0.001  # in which a fast server fills no pipe


class ReadableInto(Protocol):
    """What fills a buffer with what there is; 0 at its end."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Return how many bytes were read."""
        ...


def say(mark: str) -> str:
    """What has it say something, when it has done what it was told before."""
    return rf"\echo {mark}"


class PsqlSession:
    """What a psql is told.

    Attributes:
        has_begun: it has answered.
        has_ended: it was told that nothing more comes.
    """

    def __init__(self, orders: IO[bytes], opening: str) -> None:
        self._orders = orders
        self.has_begun = self.has_ended = False
        self._say(opening)

    def order(self, statement: str | None) -> None:
        """Tell it of the next range; None where nothing more comes."""
        self.has_begun = True
        if statement is None:
            self._say(CLOSING)
            self._orders.close()
            self.has_ended = True
        else:
            self._say(statement)

    def _say(self, words: str) -> None:
        """It waits for this, so it takes it; what has ended is told by its exit status."""
        with suppress(BrokenPipeError):
            self._orders.write(words.encode())


class Arriving:
    """What a psql writes, as it comes: reading waits for no more than is there.

    It writes four kilobytes at a time, and whoever waits for each of them is woken a hundred
    thousand times for half a gigabyte. So a little is let to become more, where the pipe has room.
    """

    def __init__(self, output: IO[bytes]) -> None:
        self._file = output.fileno()
        self._may_gather = _widen(self._file)
        self._is_little = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Wait until there is something."""
        if self._is_little:
            time.sleep(_GATHER_SECONDS)
        read = os.readv(self._file, [buffer])
        self._is_little = self._may_gather and read < _LITTLE_BYTES
        return read


def _widen(pipe: int) -> bool:
    """Have a pipe hold more; False where the system knows no such thing, or this user has many."""
    if sys.platform != "linux":
        return False
    try:
        return fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES) >= _PIPE_BYTES
    except OSError:
        return False


def open_pipe() -> tuple[IO[bytes], IO[bytes]]:
    """An end to take from and one to give to, which takes all at once."""
    taken, given = os.pipe()
    return os.fdopen(taken, "rb", 0), os.fdopen(given, "wb", 0)


def split_ranges(output: ReadableInto, end: bytes) -> Iterator[bytes | None]:
    """Cut what a session writes into pieces; None stands where a range ends.

    It waits for an answer there, so nothing comes after its end before that.
    """
    buffer = bytearray(PIECE_BYTES + len(end))
    view, filled = memoryview(buffer), 0
    while read := output.readinto(view[filled:]):
        filled += read
        whole = filled - len(end)
        if buffer.endswith(end, 0, filled):
            if whole:
                yield bytes(view[:whole])
            yield None
            filled = 0
        elif filled == len(buffer):  # its end may be the beginning of that of the range
            yield bytes(view[:whole])
            view[: len(end)] = bytes(view[whole:])
            filled = len(end)
