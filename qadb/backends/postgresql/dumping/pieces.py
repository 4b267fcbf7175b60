"""A backup's content in pieces: pg_dump's archive first, then large tables' rows, as a tar stream.

The pieces of a range of rows stand together; in a row, they are what one COPY has given and another
takes. The stream can be unpacked by hand: the pieces of ``archive/`` in a row are what pg_restore
reads, and those of a folder like ``rows/1/000000001/`` what the COPY in ``rows/1/copy.sql`` reads.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from qadb.errors import BackupDamaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.backends.base_backups import ByteSink, ByteSource, OnBytes

PIECE_BYTES = 1 << 20  # of a piece, at most

ARCHIVE = "archive"
ROWS = "rows"
STATEMENT = "copy.sql"

_END = bytes(2 * tarfile.BLOCKSIZE)


class PieceWriter:
    """Writes pieces one after the other; `finish` writes the stream's end.

    Args:
        sink: where to.
        on_bytes: told how much is written.
    """

    def __init__(self, sink: ByteSink, on_bytes: OnBytes) -> None:
        self._sink = sink
        self._on_bytes = on_bytes
        self._pieces = 0
        self._done = 0

    def write_archive(self, data: bytes) -> None:
        """Write some more of pg_dump's archive."""
        self._pieces += 1
        self._write(f"{ARCHIVE}/{self._pieces:09}", data)

    def write_statement(self, table: int, statement: str) -> None:
        """Write the COPY that takes a table's rows; before any of them."""
        self._write(f"{ROWS}/{table}/{STATEMENT}", f"{statement};\n".encode())

    def write_rows(self, table: int, number: int, data: bytes) -> None:
        """Write a piece of a range of a table's rows, whose number no other range has."""
        self._pieces += 1
        self._write(f"{ROWS}/{table}/{number:09}/{self._pieces:09}", data)

    def finish(self) -> None:
        """Write the end, without which the stream was cut off."""
        self._sink.write(_END)

    def _write(self, name: str, data: bytes) -> None:
        header = tarfile.TarInfo(name)
        header.size = len(data)
        for part in (header.tobuf(tarfile.USTAR_FORMAT), data, bytes(_padding(len(data)))):
            self._sink.write(part)
            self._done += len(part)
        self._on_bytes(self._done)


class PieceReader:
    """Reads what `PieceWriter` has written.

    Args:
        content: the stream, of which nothing has been read yet.
        on_bytes: told how much is read.
    """

    def __init__(self, content: ByteSource, on_bytes: OnBytes) -> None:
        self._content = content
        self._on_bytes = on_bytes
        self._done = 0

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Give name and data of each piece.

        Raises:
            BackupDamaged: it is no such stream, or not to its end.
        """
        while (header := self._read(tarfile.BLOCKSIZE)) != _END[: tarfile.BLOCKSIZE]:
            try:
                found = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
            except (tarfile.HeaderError, UnicodeDecodeError) as error:
                raise _damaged(str(error)) from error
            data = self._read(found.size)
            self._read(_padding(found.size))
            self._on_bytes(self._done)
            yield found.name, data
        while self._content.read(PIECE_BYTES):  # to its end, where its own checksum is
            pass

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._content.read(size)
            if not part:
                raise _damaged("it ends too early")
            parts.append(part)
            size -= len(part)
            self._done += len(part)
        return b"".join(parts)


def _padding(size: int) -> int:
    """How many bytes fill the last block."""
    return -size % tarfile.BLOCKSIZE


def _damaged(reason: str) -> BackupDamaged:
    return BackupDamaged(
        f"The backup's content can't be taken apart: {reason}.", hint="Take another backup."
    )
