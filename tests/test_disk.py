"""What is written arrives whole, a little at a time."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from qadb.disk import write_in_pieces

PIECE = 64 << 10


class Noting(io.RawIOBase):
    """Notes what comes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.pieces.append(bytes(data))
        return len(data)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 10 * PIECE + 7])
def test_all_is_written_and_little_at_once(size: int) -> None:
    data, noting = os.urandom(size), Noting()

    with io.BufferedWriter(noting) as file:
        write_in_pieces(file, data)

    assert b"".join(noting.pieces) == data
    assert max(map(len, noting.pieces), default=0) <= PIECE
