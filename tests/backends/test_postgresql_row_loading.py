"""Rows loaded by several sessions: those of the table, or none and nothing left."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql.dumping.pieces import PieceWriter
from qadb.backends.postgresql.restoring import row_loading
from qadb.errors import (
    BackupDamaged,
    ConnectionLost,
)
from tests.backends.pieces_content import pieces_of
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
    writer.write_rows(1, change)
    writer.finish()
    return sink


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (b"x\n", "invalid input syntax"),
        (b"-1\n", "check constraint"),
        (b"5\t6\n", "extra data"),
        (b"5\n", "could not create unique index"),
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
    genuine = row_loading._Pieces.give

    def give(self: row_loading._Pieces, piece: row_loading.Rows | None) -> None:
        nonlocal calls
        calls += 1
        if calls == (1 if when == "before" else 10):
            raise KeyboardInterrupt
        genuine(self, piece)

    monkeypatch.setattr(row_loading._Pieces, "give", give)
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
    genuine = row_loading._Pieces.give
    end_one = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'COPY %' AND datname LIKE current_database() || '_qadb_%' LIMIT 1"""

    def give(self: row_loading._Pieces, piece: row_loading.Rows | None) -> None:
        genuine(self, piece)
        fetch_column(as_text(large), end_one)

    monkeypatch.setattr(row_loading._Pieces, "give", give)
    with (
        nothing_is_left(large, postgresql_server),
        pytest.raises(ConnectionLost),
        rebuilt(content, large, details),
    ):
        pass
