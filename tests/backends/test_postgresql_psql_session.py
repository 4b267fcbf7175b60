"""What a psql writes is let to become more, where a pipe has the room for it."""

from __future__ import annotations

import fcntl
import sys
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

import pytest

from qadb.backends.postgresql.dumping.pieces import PIECE_BYTES
from qadb.backends.postgresql.dumping.psql_session import Arriving, open_pipe

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    with ExitStack() as stack:
        taken, given = (stack.enter_context(end) for end in open_pipe())
        yield taken, given


def _read(arriving: Arriving) -> bytes:
    buffer = bytearray(PIECE_BYTES)
    return bytes(buffer[: arriving.readinto(memoryview(buffer))])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' pipes can't be made larger")
def test_after_a_little_more_is_waited_for(
    pipe: tuple[IO[bytes], IO[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, given = pipe
    monkeypatch.setattr(time, "sleep", lambda _: given.write(b", and more"))
    arriving = Arriving(taken)
    given.write(b"a little")
    assert _read(arriving) == b"a little"
    given.write(b"some")

    assert _read(arriving) == b"some, and more"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' pipes can't be made larger")
def test_after_much_nothing_is_waited_for(
    pipe: tuple[IO[bytes], IO[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, given = pipe
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    arriving = Arriving(taken)
    much = bytes(PIECE_BYTES // 2)
    given.write(much)
    assert _read(arriving) == much
    given.write(b"some")

    assert _read(arriving) == b"some"


def test_where_the_pipe_stays_small_nothing_is_waited_for(
    pipe: tuple[IO[bytes], IO[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError("this user has too many")

    taken, given = pipe
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    arriving = Arriving(taken)
    given.write(b"a little")
    assert _read(arriving) == b"a little"
    given.write(b"some")

    assert _read(arriving) == b"some"
