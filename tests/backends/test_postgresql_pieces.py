"""A backup's content in pieces: what is written is read, and can be unpacked by hand."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql.dumping import row_copying
from qadb.backends.postgresql.dumping.pieces import PieceWriter
from qadb.backends.postgresql.dumping.row_copying import RANGE_END, split_rows
from qadb.errors import (
    BackupDamaged,
)
from tests.backends.pieces_content import pieces_of
from tests.backends.postgresql_rich import (
    as_text,
    backed_up,
)
from tests.support.postgres_client import execute

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer


class Pipe:
    """What a session writes, in parts of some size, until it waits for an answer."""

    def __init__(self, ranges: list[bytes], size: int) -> None:
        self._ranges = [io.BytesIO(each + RANGE_END) for each in ranges]
        self._size = size
        self.answers = 0

    def read(self, size: int, /) -> bytes:
        if self.answers == len(self._ranges):
            return b""
        data = self._ranges[self.answers].read(min(size, self._size))
        assert data, "it waits for ever"
        return data


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 1000])
def test_rows_are_cut_at_their_ends_and_at_those_of_ranges(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    ranges = [b"", b"one\ntwo\n" * 5, b"", b"x" * 50 + b"\n\x01\\\\.\n\x01\n", b"\n\n\n", b"end\n"]
    for piece in (1, 4, 30):
        monkeypatch.setattr(row_copying, "PIECE_BYTES", piece)
        found = [b""] * (len(ranges) + 1)
        pipe = Pipe(ranges, size)
        for data in split_rows(pipe):
            if data is None:
                pipe.answers += 1
            else:
                assert data.endswith(b"\n")
                found[pipe.answers] += data
        assert found == [*ranges, b""]


def test_pieces_are_read_as_they_were_written(tmp_path: Path) -> None:
    sink, told = io.BytesIO(), list[int]()
    writer = PieceWriter(sink, told.append)
    writer.write_archive(b"PGDMP" * 300)
    writer.write_archive(b"x" * 512)
    writer.write_statement(1, "COPY t FROM STDIN")
    writer.write_rows(1, b"")
    writer.finish()

    found = pieces_of(sink)
    assert [(name, len(data)) for name, data in found] == [
        ("archive/000001", 1500),
        ("archive/000002", 512),
        ("rows/1/copy.sql", 19),
        ("rows/1/000003.rows", 0),
    ]
    assert told[-1] == len(sink.getvalue()) - 1024
    for content in (b"", b"PK" * 600, sink.getvalue()[:-1024]):
        with pytest.raises(BackupDamaged, match="taken apart"):
            pieces_of(io.BytesIO(content))


@pytest.mark.usefixtures("every_table_is_large")
def test_the_stream_unpacks_by_hand(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path
) -> None:
    """As it says: the archive's pieces in a row, and a statement before its rows."""
    execute(as_text(url), "CREATE TABLE t AS SELECT generate_series(1, 5000) AS n")
    content, _ = backed_up(url, tmp_path)
    with tarfile.open(fileobj=content) as tar:
        tar.extractall(tmp_path, filter="data")
    archive = b"".join(path.read_bytes() for path in sorted((tmp_path / "archive").iterdir()))
    statement = (tmp_path / "rows" / "1" / "copy.sql").read_text()
    rows = b"".join(path.read_bytes() for path in (tmp_path / "rows" / "1").glob("*.rows"))

    assert archive.startswith(b"PGDMP")
    assert statement == """COPY "public"."t" ("n") FROM STDIN (ENCODING 'UTF8');\n"""
    assert sorted(map(int, rows.split())) == list(range(1, 5001))
