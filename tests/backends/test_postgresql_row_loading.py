"""Rows loaded by several sessions: those of the table, or none and nothing left."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql.dumping.pieces import PieceWriter
from qadb.backends.postgresql.range_queue import QueuedRange
from qadb.errors import (
    BackupDamaged,
    ConnectionLost,
)
from tests.backends.pieces_content import HEADER, ROW, TRAILER, pieces_of
from tests.backends.postgresql_rich import (
    as_text,
    backed_up,
    names_on,
    rebuilt,
)
from tests.support.postgres_client import execute, fetch_column

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.usefixtures("every_table_is_large")


@contextmanager
def nothing_is_left(url: DatabaseUrl, server: PostgresServer) -> Iterator[None]:
    before = names_on(server)
    yield
    assert names_on(server) == before
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
    assert len(fetch_column(as_text(url), query)) == 1


def with_rows(content: io.BytesIO, change: bytes) -> io.BytesIO:
    """The content with other rows at its end."""
    sink = io.BytesIO()
    writer = PieceWriter(sink, lambda _: None)
    for name, data in pieces_of(content):
        writer._write(name, data)
    writer.write_rows(1, 10**6, change)
    writer.finish()
    return sink


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (b"x\n", "COPY file signature not recognized"),
        (HEADER + ROW.pack(1, 4, -1) + TRAILER, "check constraint"),
        (HEADER + ROW.pack(2, 4, 5) + TRAILER, "row field count is 2, expected 1"),
        (HEADER + ROW.pack(1, 4, 5) + TRAILER, "could not create unique index"),
        (HEADER + ROW.pack(1, 4, 5)[:-1], "unexpected EOF"),
    ],
)
def test_rows_that_are_not_the_tables_are_damage(
    postgresql_server: PostgresServer, url: DatabaseUrl, tmp_path: Path, rows: bytes, reason: str
) -> None:
    execute(as_text(url), "CREATE TABLE t (n integer PRIMARY KEY CHECK (n > 0))")
    execute(as_text(url), "INSERT INTO t SELECT generate_series(1, 20000)")
    content, details = backed_up(url, tmp_path)
    damaged = with_rows(content, rows)
    with (
        nothing_is_left(url, postgresql_server),
        pytest.raises(BackupDamaged, match=reason),
        rebuilt(damaged, url, details),
    ):
        pass


def test_pieces_of_whole_rows_are_loaded_as_they_were_written_formerly(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    """Each by itself, as text."""
    execute(as_text(url), "CREATE TABLE t AS SELECT generate_series(1, 3000) AS n")
    content, details = backed_up(url, tmp_path)
    sink = io.BytesIO()
    writer = PieceWriter(sink, lambda _: None)
    for name, data in pieces_of(content):
        if name.startswith("archive/"):
            writer._write(name, data)
    writer.write_statement(1, "COPY public.t (n) FROM STDIN (ENCODING 'UTF8')")
    for number in range(1, 3001, 100):
        rows = b"".join(b"%d\n" % each for each in range(number, number + 100))
        writer._write(f"rows/1/{number:06}.rows", rows)
    writer.finish()
    with rebuilt(sink, url, details) as made:
        counted = fetch_column(as_text(made), "SELECT count(*) || ' ' || sum(n) FROM t")
        assert counted == [f"3000 {3000 * 3001 // 2}"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_content_that_was_cut_off_is_damage(
    postgresql_server: PostgresServer, large: DatabaseUrl, tmp_path: Path, share: float
) -> None:
    content, details = backed_up(large, tmp_path)
    short = io.BytesIO(content.getvalue()[: int(len(content.getvalue()) * share)])
    with (
        nothing_is_left(large, postgresql_server),
        pytest.raises(BackupDamaged),
        rebuilt(short, large, details),
    ):
        pass


def test_rows_of_a_table_without_a_statement_are_damage(url: DatabaseUrl, tmp_path: Path) -> None:
    execute(as_text(url), "CREATE TABLE t AS SELECT 1 AS n")
    content, details = backed_up(url, tmp_path)
    sink = io.BytesIO()
    writer = PieceWriter(sink, lambda _: None)
    for name, data in pieces_of(content):
        if not name.endswith(".sql"):
            writer._write(name, data)
    writer.finish()
    with pytest.raises(BackupDamaged, match="rows of no table"), rebuilt(sink, url, details):
        pass


@pytest.mark.parametrize("when", ["while loading", "before"])
def test_interrupted_loading_ends_its_sessions(
    postgresql_server: PostgresServer,
    large: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    content, details = backed_up(large, tmp_path)
    calls = 0
    genuine = QueuedRange.give

    def give(self: QueuedRange[str], piece: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == (1 if when == "before" else 10):
            raise KeyboardInterrupt
        genuine(self, piece)

    monkeypatch.setattr(QueuedRange, "give", give)
    with (
        nothing_is_left(large, postgresql_server),
        pytest.raises(KeyboardInterrupt),
        rebuilt(content, large, details),
    ):
        pass


def test_loading_session_that_the_server_ends_is_a_lost_connection(
    postgresql_server: PostgresServer,
    large: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content, details = backed_up(large, tmp_path)
    genuine = QueuedRange.give
    end_one = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'COPY %' AND datname LIKE current_database() || '_qadb_%' LIMIT 1"""

    def give(self: QueuedRange[str], piece: bytes) -> None:
        genuine(self, piece)
        fetch_column(as_text(large), end_one)

    monkeypatch.setattr(QueuedRange, "give", give)
    with (
        nothing_is_left(large, postgresql_server),
        pytest.raises(ConnectionLost),
        rebuilt(content, large, details),
    ):
        pass
