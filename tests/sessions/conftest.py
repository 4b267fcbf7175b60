"""A database with two tenants, `acme` and `rival`, which have the same rows in different words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sessions.places import copy_of, open_database, template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork
    from tests.support.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def tenants_template(
    database_server: PostgresServer | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with template(database_server, tmp_path_factory.mktemp("tenants")) as url:
        yield url


@pytest.fixture
def tenants_url(
    database_server: PostgresServer | None, tenants_template: str, tmp_path: Path
) -> Iterator[str]:
    with copy_of(tenants_template, database_server, tmp_path) as url:
        yield url


@pytest.fixture
def database(tenants_url: str) -> Iterator[Database]:
    with open_database(tenants_url) as database:
        yield database


@pytest.fixture
def acme(database: Database) -> Iterator[UnitOfWork]:
    """A session of one tenant; what it is refused may leave it unfit to commit."""
    with database._unit("acme", None, all_tenants=False, read_only=False) as session:
        yield session


@pytest.fixture(scope="session")
def postgresql_template(
    postgresql_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with template(postgresql_server, tmp_path_factory.mktemp("tenants")) as url:
        yield url


@pytest.fixture
def postgresql_tenants(
    postgresql_server: PostgresServer, postgresql_template: str, tmp_path: Path
) -> Iterator[Database]:
    """The same on PostgreSQL alone."""
    with (
        copy_of(postgresql_template, postgresql_server, tmp_path) as url,
        open_database(url) as database,
    ):
        yield database
