"""What a backup's content in pieces holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.backends.postgresql.dumping.pieces import PieceReader

if TYPE_CHECKING:
    import io


def pieces_of(content: io.BytesIO) -> list[tuple[str, bytes]]:
    content.seek(0)
    return list(PieceReader(content, lambda _: None))


def numbers_in(content: io.BytesIO) -> list[int]:
    """What the rows of the one table are."""
    rows = b"".join(data for name, data in pieces_of(content) if name.endswith(".rows"))
    return sorted(int(line) for line in rows.splitlines())
