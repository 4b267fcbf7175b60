"""Migrated databases for tests of the models: one made an engine, then copied for each test."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from tests.migrations.revisions import open_engine, upgrade
from tests.models.rows import one_row_of_each
from tests.models.two_tenants import ROWS, new_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from tests.support.postgres_server import PostgresServer


@contextmanager
def _database(server: PostgresServer | None, file: Path, template: str | None) -> Iterator[str]:
    """A new database, dropped at the end: a copy of the template, or empty."""
    if server is not None:
        url = server.create_database(template=template)
        yield url
        server.drop_database(url)
        return
    if template is not None:
        shutil.copy(template.removeprefix("sqlite:///"), file)
    yield f"sqlite:///{file}"


@pytest.fixture(scope="session")
def migrated_url(
    database_server: PostgresServer | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A migrated database that stays as it is, to be copied."""
    file = tmp_path_factory.mktemp("template") / "migrated.sqlite3"
    with _database(database_server, file, None) as url:
        _migrate(url)
        yield url


@pytest.fixture
def engine(
    database_server: PostgresServer | None, migrated_url: str, tmp_path: Path
) -> Iterator[Engine]:
    """A migrated database of the test's own."""
    with _database(database_server, tmp_path / "qa.sqlite3", migrated_url) as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on a migrated database."""
    with Session(engine) as session:
        yield session


@pytest.fixture(scope="session")
def filled_engine(
    database_server: PostgresServer | None,
    migrated_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Engine]:
    """A database with one row in each table, shared: see `filled`."""
    file = tmp_path_factory.mktemp("filled") / "filled.sqlite3"
    with _database(database_server, file, migrated_url) as url, _filled(url) as engine:
        yield engine


@pytest.fixture(scope="session")
def filled_sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The same on SQLite alone."""
    url = f"sqlite:///{tmp_path_factory.mktemp('filled') / 'filled.sqlite3'}"
    _migrate(url)
    with _filled(url) as engine:
        yield engine


@pytest.fixture
def filled(filled_engine: Engine) -> Iterator[Connection]:
    """A connection to the filled database; whatever the test does is rolled back."""
    with filled_engine.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def filled_sqlite(filled_sqlite_engine: Engine) -> Iterator[Connection]:
    """The same on SQLite alone."""
    with filled_sqlite_engine.connect() as connection:
        yield connection
        connection.rollback()


def _migrate(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()


@contextmanager
def _filled(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    with Session(engine) as session:
        session.add_all(one_row_of_each())
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: PostgresServer) -> Iterator[str]:
    """A migrated database on PostgreSQL alone that stays as it is, to be copied."""
    url = postgresql_server.create_database()
    _migrate(url)
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture
def migrated_postgresql(
    postgresql_server: PostgresServer, postgresql_template: str
) -> Iterator[Connection]:
    """A copy of it for the test, in one transaction that is rolled back."""
    url = postgresql_server.create_database(template=postgresql_template)
    engine = open_engine(url)
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()
    postgresql_server.drop_database(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that stays as it is, to be copied."""
    file = tmp_path_factory.mktemp("template") / "migrated.sqlite3"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def migrated_sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A copy of it for the test."""
    engine = open_engine(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'copy.sqlite3')}")
    yield engine
    engine.dispose()


@pytest.fixture
def owner(postgresql_server: PostgresServer, postgresql_template: str) -> Iterator[Engine]:
    """A migrated database with the rows of two tenants, as its owner sees it."""
    url = postgresql_server.create_database(template=postgresql_template)
    engine = open_engine(url)
    with engine.begin() as connection:
        for number, tenant in ((101, "acme"), (102, "zeta")):
            connection.exec_driver_sql(ROWS.format(tenant, number))
    yield engine
    engine.dispose()
    postgresql_server.drop_database(url)


@pytest.fixture
def ordinary(owner: Engine) -> Iterator[Engine]:
    """The same database for a role with rights on tables alone, through a pool of one."""
    with new_role(owner) as engine:
        with owner.begin() as connection:
            rights = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
            connection.exec_driver_sql(f"GRANT {rights} TO {engine.url.username}")
        yield engine
