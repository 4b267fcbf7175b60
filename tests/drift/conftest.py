"""Migrated databases of each engine, copied for each test that changes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.databases import open_database
from tests.support.migrated import copy_of, migrated_template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer


@pytest.fixture
def migrated(migrated_url: str) -> Iterator[Database]:
    """A database at the newest revision."""
    with open_database(migrated_url) as database:
        yield database


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """An empty place for a database."""
    with open_database(database_url) as database:
        yield database


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with migrated_template(None, tmp_path_factory.mktemp("template")) as url:
        yield url


@pytest.fixture
def migrated_sqlite(sqlite_template: str, tmp_path: Path) -> Iterator[Database]:
    """The same on SQLite alone."""
    with copy_of(sqlite_template, None, tmp_path) as url, open_database(url) as database:
        yield database


@pytest.fixture(scope="session")
def postgresql_template(
    postgresql_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with migrated_template(postgresql_server, tmp_path_factory.mktemp("template")) as url:
        yield url


@pytest.fixture
def migrated_postgresql(
    postgresql_server: PostgresServer, postgresql_template: str, tmp_path: Path
) -> Iterator[Database]:
    """The same on PostgreSQL alone."""
    with (
        copy_of(postgresql_template, postgresql_server, tmp_path) as url,
        open_database(url) as database,
    ):
        yield database
