"""What a backup's content in pieces holds."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from qadb.backends.postgresql.dumping.pieces import PieceReader

if TYPE_CHECKING:
    import io

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
ROW = struct.Struct("!hii")

NUMBERS = range(1, 200_001)
"""What the rows of ``large``'s table are."""


def pieces_of(content: io.BytesIO) -> list[tuple[str, bytes]]:
    content.seek(0)
    return list(PieceReader(content, lambda _: None))


def ranges_of(content: io.BytesIO) -> dict[tuple[str, str], bytes]:
    """What COPY has given, by the numbers of table and range."""
    found: dict[tuple[str, str], bytes] = {}
    for name, data in pieces_of(content):
        match name.split("/"):
            case ["rows", table, number, _]:
                found[table, number] = found.get((table, number), b"") + data
    return found


def numbers_in(content: io.BytesIO) -> list[int]:
    """What the rows of the one table are: one integer each, in binary."""
    return sorted(number for data in ranges_of(content).values() for number in numbers_of(data))


def numbers_of(data: bytes) -> list[int]:
    """What one range's are; see https://www.postgresql.org/docs/current/sql-copy.html."""
    assert data.startswith(HEADER)
    assert data.endswith(TRAILER)
    rows = data[len(HEADER) : -len(TRAILER)]
    assert len(rows) % ROW.size == 0
    found = list(ROW.iter_unpack(rows))
    assert {(columns, size) for columns, size, _ in found} <= {(1, 4)}
    return [number for *_, number in found]
