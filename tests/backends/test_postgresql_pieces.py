"""A backup's content in pieces: what is written is read, and can be unpacked by hand."""

from __future__ import annotations

import io
import tarfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql.dumping import psql_session
from qadb.backends.postgresql.dumping.pieces import PieceWriter
from qadb.backends.postgresql.dumping.psql_session import split_ranges
from qadb.errors import BackupDamaged
from tests.backends.pieces_content import pieces_of
from tests.backends.postgresql_rich import as_text, backed_up
from tests.support.postgres_client import execute, fetch_column

if TYPE_CHECKING:
    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer


END = b"0123abcd\n"


class Pipe:
    """What a session writes, in parts of some size, until it waits for an answer."""

    def __init__(self, ranges: list[bytes], size: int) -> None:
        self._ranges = [io.BytesIO(each + END) for each in ranges]
        self._size = size
        self.answers = 0

    def readinto(self, buffer: memoryview, /) -> int:
        if self.answers == len(self._ranges):
            return 0
        assert len(buffer), "there is room for nothing"
        data = self._ranges[self.answers].read(min(len(buffer), self._size))
        assert data, "it waits for ever"
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 1000])
def test_what_a_session_writes_is_cut_at_the_ends_of_ranges(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    ranges = [b"", b"one\ntwo\n" * 5, b"", b"\0\xff" * 50, END[1:] * 9, (END[:-1] + b"x") * 9, b"x"]
    for most in (1, 2, 4, 30):
        monkeypatch.setattr(psql_session, "PIECE_BYTES", most)
        found = [b""] * (len(ranges) + 1)
        pipe = Pipe(ranges, size)
        for data in split_ranges(pipe, END):
            if data is None:
                pipe.answers += 1
            else:
                assert 0 < len(data) <= most + len(END)
                found[pipe.answers] += data
        assert found == [*ranges, b""]


def test_pieces_are_read_as_they_were_written(tmp_path: Path) -> None:
    sink, told = io.BytesIO(), list[int]()
    writer = PieceWriter(sink, told.append)
    writer.write_archive(b"PGDMP" * 300)
    writer.write_archive(b"x" * 512)
    writer.write_statement(1, "COPY t FROM STDIN")
    writer.write_rows(1, 7, b"")
    writer.finish()

    found = pieces_of(sink)
    assert [(name, len(data)) for name, data in found] == [
        ("archive/000000001", 1500),
        ("archive/000000002", 512),
        ("rows/1/copy.sql", 19),
        ("rows/1/000000007/000000003", 0),
    ]
    assert told[-1] == len(sink.getvalue()) - 1024
    for content in (b"", b"PK" * 600, sink.getvalue()[:-1024]):
        with pytest.raises(BackupDamaged, match="taken apart"):
            pieces_of(io.BytesIO(content))


@pytest.mark.usefixtures("every_table_is_large")
def test_the_stream_unpacks_by_hand(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path
) -> None:
    """As it says: the archive's pieces in a row, and a range's for its table's statement."""
    execute(as_text(url), "CREATE TABLE t AS SELECT generate_series(1, 5000) AS n")
    execute(as_text(url), "CREATE TYPE own AS ENUM ('a')")
    execute(as_text(url), "CREATE TABLE u AS SELECT n, 'a'::own AS c FROM t")
    content, _ = backed_up(url, tmp_path)
    with tarfile.open(fileobj=content) as tar:
        tar.extractall(tmp_path, filter="data")
    archive = b"".join(path.read_bytes() for path in sorted((tmp_path / "archive").iterdir()))
    assert archive.startswith(b"PGDMP")

    execute(as_text(url), "CREATE TABLE a AS TABLE t; CREATE TABLE b AS TABLE u; TRUNCATE t, u")
    statements = []
    for table in (tmp_path / "rows").iterdir():
        statement = (table / "copy.sql").read_text()
        statements.append(statement)
        for folder in filter(Path.is_dir, table.iterdir()):
            data = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
            with closing(psycopg2.connect(as_text(url))) as connection, connection:
                connection.cursor().copy_expert(statement, io.BytesIO(data))

    assert sorted(statements) == [
        """COPY "public"."t" ("n") FROM STDIN (FORMAT binary);\n""",
        """COPY "public"."u" ("n", "c") FROM STDIN (ENCODING 'UTF8');\n""",
    ]
    for left, right in (("a", "t"), ("b", "u")):
        query = f"SELECT count(*) FROM ((TABLE {left} EXCEPT ALL TABLE {right}) UNION ALL "
        query += f"(TABLE {right} EXCEPT ALL TABLE {left})) AS differing"
        assert fetch_column(as_text(url), query) == ["0"]
