"""Fixtures of the whole suite: databases on SQLite and on a real PostgreSQL server.

    database_url       an empty place for a database; the test runs once an engine
    sqlite_url         the same on SQLite alone
    postgresql_url     the same on PostgreSQL alone
    migrated_url       a database of its own at the newest revision, once an engine
    postgresql_server  the server itself: version, port, programs, ``create_database(template=…)``
    database_server    session-wide: that server, or None for SQLite; for templates made once

What runs on PostgreSQL has the marker ``postgresql`` by itself. ``--postgresql=LIST`` (or
QADB_TEST_PG) names the servers, each test then runs on every one; see ``postgres_choice``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.migrated import copy_of, migrated_template
from tests.support.postgres_binaries import find_installations
from tests.support.postgres_choice import (
    LIST_VARIABLE,
    URL_VARIABLE,
    ServerChoice,
    choose_servers,
)
from tests.support.postgres_server import PostgresServer, PostgresUnavailableError, ServerPool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHOICES = pytest.StashKey[tuple[ServerChoice, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the servers."""
    parser.addoption(
        "--postgresql",
        metavar="LIST",
        help="servers to test on, separated by commas: auto (default: that of "
        f"{URL_VARIABLE}, else this machine's newest, else the wheel's newest), machine, wheel, "
        f"wheel:16, wheel:18, or a folder of programs; also {LIST_VARIABLE}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Resolve the servers' names once; starts nothing."""
    try:
        config.stash[CHOICES] = choose_servers(config.getoption("--postgresql"))
    except ValueError as error:
        raise pytest.UsageError(f"--postgresql, {LIST_VARIABLE}: {error}") from None


def pytest_report_header(config: pytest.Config) -> str:
    """Say which servers the tests would run on."""
    return "postgresql: " + ", ".join(each.summary for each in config.stash[CHOICES])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs PostgreSQL once a server, and what needs a database once an engine.

    Coverage is measured on the first server: another runs the same lines, at twice the time.
    """
    choices = metafunc.config.stash[CHOICES]
    servers = [
        pytest.param(
            choice,
            id=choice.test_id,
            marks=[pytest.mark.postgresql, *([pytest.mark.no_cover] if number else [])],
        )
        for number, choice in enumerate(choices)
    ]
    places = {
        "postgresql_server": servers,
        "database_server": [pytest.param(None, id="sqlite"), *servers],
    }
    for fixture, parameters in places.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, parameters, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide variables that would lead a test to a database, or a cache, of who runs it."""
    prefixes = ["DATABASE_", "QADB_"]
    if not os.environ.get(URL_VARIABLE):  # that server may need its PGPASSFILE, PGSSLROOTCERT, …
        prefixes.append("PG")
    with pytest.MonkeyPatch.context() as environment:
        for name in list(os.environ):
            if name.startswith(tuple(prefixes)) and not name.startswith("QADB_TEST_"):
                environment.delenv(name)
        environment.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def postgresql_pool() -> Iterator[ServerPool]:
    """Hold the running servers; ``postgresql_server`` is what a test asks for."""
    pool = ServerPool(find_installations())
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def postgresql_server(
    request: pytest.FixtureRequest, postgresql_pool: ServerPool
) -> PostgresServer:
    """Provide a running server with a superuser, shared by all tests of the session."""
    return running_server(postgresql_pool, request.param)


@pytest.fixture(scope="session")
def database_server(
    request: pytest.FixtureRequest, postgresql_pool: ServerPool
) -> PostgresServer | None:
    """Provide the server of the engine under test, or None for SQLite.

    A session-wide fixture over it makes a template once; ``create_database(template=…)`` or a
    file's copy then gives each test a database of its own.
    """
    choice: ServerChoice | None = request.param
    return None if choice is None else running_server(postgresql_pool, choice)


def put_programs_on_path(server: PostgresServer, environment: pytest.MonkeyPatch) -> None:
    """Let pg_dump and pg_restore of the server's own version be found first."""
    folder = server.program("pg_dump").parent
    environment.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.fixture
def postgresql_url(
    postgresql_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Provide the URL of a fresh database; it is dropped afterwards, whoever is connected."""
    put_programs_on_path(postgresql_server, monkeypatch)
    url = postgresql_server.create_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Provide the URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'qa.sqlite3'}"


@pytest.fixture
def database_url(
    database_server: PostgresServer | None, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Provide an empty place for a database: an absent SQLite file, an empty database."""
    if database_server is None:
        yield sqlite_url
        return
    put_programs_on_path(database_server, monkeypatch)
    url = database_server.create_database()
    yield url
    database_server.drop_database(url)


@pytest.fixture(scope="session")
def migrated_template_url(
    database_server: PostgresServer | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with migrated_template(database_server, tmp_path_factory.mktemp("template")) as url:
        yield url


@pytest.fixture
def migrated_url(
    database_server: PostgresServer | None,
    migrated_template_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """Provide a database at the newest revision, reference data included, to do anything with."""
    if database_server is not None:
        put_programs_on_path(database_server, monkeypatch)
    with copy_of(migrated_template_url, database_server, tmp_path) as url:
        yield url


def running_server(pool: ServerPool, choice: ServerChoice) -> PostgresServer:
    """Return a choice's server, or fail the test with nothing but the reason."""
    try:
        return pool.get(choice)
    except PostgresUnavailableError as error:
        reason = str(error)
    pytest.fail(reason, pytrace=False)  # outside the handler, or the reason would show twice
