"""A backup's content in pieces: what is written is read, and can be unpacked by hand."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql.dumping import row_copying
from qadb.backends.postgresql.dumping.pieces import PieceWriter
from qadb.backends.postgresql.dumping.row_copying import TABLE_END, split_rows
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
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer


class Pipe:
    """What a session writes, in parts of some size whatever is asked for."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = io.BytesIO(data), size

    def read(self, size: int, /) -> bytes:
        return self._data.read(min(size, self._size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_rows_are_cut_at_their_ends_and_told_by_table(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    tables = [b"one\ntwo\n" * 5, b"", b"x" * 50 + b"\n" + b"\x01\\\\.\n\x01\n", b"\n\n\n", b"end\n"]
    for piece in (1, 4, 30):
        monkeypatch.setattr(row_copying, "PIECE_BYTES", piece)
        found = [b""] * (len(tables) + 1)
        pipe = Pipe(b"".join(each + TABLE_END for each in tables), size)

        def splitting(pipe: Pipe) -> Iterator[row_copying.Rows]:
            assert (yield from split_rows(pipe)) == len(tables)

        for number, data in splitting(pipe):
            assert data.endswith(b"\n")
            found[number - 1] += data
        assert found == [*tables, b""]


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
