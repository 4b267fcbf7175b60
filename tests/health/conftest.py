"""Fixtures of health's tests: databases at the newest revision."""

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
    """A database at the newest revision, once an engine."""
    with open_database(migrated_url) as database:
        yield database


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with migrated_template(None, tmp_path_factory.mktemp("template")) as url:
        yield url


@pytest.fixture
def file_url(sqlite_template: str, tmp_path: Path) -> Iterator[str]:
    """A SQLite file at the newest revision."""
    with copy_of(sqlite_template, None, tmp_path) as url:
        yield url


@pytest.fixture
def file(file_url: str) -> Iterator[Database]:
    """The same, opened."""
    with open_database(file_url) as database:
        yield database


@pytest.fixture(scope="session")
def server_template(
    postgresql_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with migrated_template(postgresql_server, tmp_path_factory.mktemp("template")) as url:
        yield url


@pytest.fixture
def server_url(
    postgresql_server: PostgresServer, server_template: str, tmp_path: Path
) -> Iterator[str]:
    """A PostgreSQL database at the newest revision."""
    with copy_of(server_template, postgresql_server, tmp_path) as url:
        yield url


@pytest.fixture
def on_server(server_url: str) -> Iterator[Database]:
    """The same, opened."""
    with open_database(server_url) as database:
        yield database
