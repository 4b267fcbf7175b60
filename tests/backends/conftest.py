"""Databases that backend tests work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql.dumping import large_tables, psql_session
from tests.backends.pieces_content import NUMBERS
from tests.backends.postgresql_rich import as_text, backed_up, on_path, parsed
from tests.backends.sample import make_tables
from tests.support.databases import open_database
from tests.support.postgres_client import execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from qadb.settings import DatabaseUrl
    from tests.backends.postgresql_rich import Content
    from tests.support.postgres_server import PostgresServer


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An existing, empty database; the test runs once an engine."""
    with open_database(database_url) as opened:
        opened.create()
        yield opened


@pytest.fixture
def sample(database: Database) -> Database:
    """A database with the sample's tables; the test runs once an engine."""
    make_tables(database)
    return database


@pytest.fixture
def url(postgresql_url: str) -> DatabaseUrl:
    """A fresh PostgreSQL database."""
    return parsed(postgresql_url)


@pytest.fixture
def large(url: DatabaseUrl) -> DatabaseUrl:
    """The same with a table ``t`` of some megabytes, as long as `NUMBERS`."""
    execute(as_text(url), f"CREATE TABLE t AS SELECT generate_series(1, {len(NUMBERS)}) AS n")
    return url


@pytest.fixture
def every_table_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have even small tables copied by several sessions, in ranges of one page."""
    monkeypatch.setattr(large_tables, "LARGE_BYTES", 1)
    monkeypatch.setattr(large_tables, "RANGE_BYTES", 1)
    monkeypatch.setattr(psql_session, "PIECE_BYTES", 1 << 12)


@pytest.fixture
def place(postgresql_url: str) -> DatabaseUrl:
    """A PostgreSQL database for a restore: its table's word is "old" once ``content`` is taken."""
    execute(postgresql_url, "CREATE TABLE state AS SELECT 'new' AS word")
    return parsed(postgresql_url)


@pytest.fixture
def content(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Content:
    """A backup of ``place``, whose word is "new", and its details."""
    on_path(monkeypatch, postgresql_server)
    written = backed_up(place, tmp_path)
    execute(as_text(place), "UPDATE state SET word = 'old'")
    return written
