"""The PostgreSQL server of the tests: what it is like, and the databases made on it."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.support.postgres_binaries import PostgresBinaries, find_installations
from tests.support.postgres_client import execute, fetch_column
from tests.support.postgres_server import (
    PostgresServer,
    PostgresUnavailableError,
    attach_server,
    start_server,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def own_server(postgresql_server: PostgresServer) -> Iterator[PostgresServer]:
    """The session's server, or one started here where the session's is somebody's own."""
    if postgresql_server.folder is not None:
        yield postgresql_server
        return
    with start_server(find_installations()[0]) as server:
        yield server


def test_server_is_reached_by_password_only(own_server: PostgresServer) -> None:
    password = urlsplit(own_server.admin_url).password or ""
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(own_server.admin_url.replace(password, "wrong"))
    with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
        psycopg2.connect(own_server.admin_url.replace(f":{password}", ""), passfile=os.devnull)
    assert fetch_column(own_server.admin_url, "SHOW password_encryption") == ["scram-sha-256"]


def test_server_listens_on_the_local_address_alone(own_server: PostgresServer) -> None:
    assert fetch_column(own_server.admin_url, "SHOW listen_addresses") == ["127.0.0.1"]
    assert fetch_column(own_server.admin_url, "SHOW unix_socket_directories") == [""]


def test_server_shows_mistakes_with_time_zones_and_locales(own_server: PostgresServer) -> None:
    assert fetch_column(own_server.admin_url, "SHOW timezone") == ["Asia/Kathmandu"]
    assert fetch_column(own_server.admin_url, "SHOW lc_messages") == ["C"]
    assert fetch_column(own_server.admin_url, "SHOW server_encoding") == ["UTF8"]


def test_server_is_of_the_stated_version(own_server: PostgresServer) -> None:
    (number,) = fetch_column(own_server.admin_url, "SHOW server_version_num")
    assert int(number) // 10_000 == own_server.major


@pytest.mark.parametrize("name", ["psql", "pg_dump", "pg_restore"])
def test_server_comes_with_programs_of_its_version(own_server: PostgresServer, name: str) -> None:
    program = own_server.program(name)
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert f"(PostgreSQL) {own_server.version}" in answer.stdout


def test_a_database_place_is_empty(
    database_url: str, database_server: PostgresServer | None
) -> None:
    if database_server is None:
        assert not Path(database_url.removeprefix("sqlite:///")).exists()
    else:
        tables = "SELECT count(*)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert fetch_column(database_url, tables) == ["0"]


def test_a_template_gives_independent_copies(postgresql_server: PostgresServer) -> None:
    template = postgresql_server.create_database()
    execute(template, "CREATE TABLE colours AS SELECT 'red' AS name")
    copy = postgresql_server.create_database(template=template)
    execute(copy, "INSERT INTO colours VALUES ('blue')")
    assert fetch_column(copy, "SELECT name FROM colours") == ["red", "blue"]
    assert fetch_column(template, "SELECT name FROM colours") == ["red"]
    postgresql_server.drop_database(copy)
    postgresql_server.drop_database(template)


def test_a_database_is_dropped_under_a_connection(postgresql_server: PostgresServer) -> None:
    url = postgresql_server.create_database()
    with closing(psycopg2.connect(url)):
        postgresql_server.drop_database(url)
    assert urlsplit(url).path[1:] not in databases(postgresql_server)


def test_a_database_of_somebody_else_is_never_dropped(postgresql_server: PostgresServer) -> None:
    with pytest.raises(ValueError, match="was not made by these tests"):
        postgresql_server.drop_database(postgresql_server.admin_url)


def test_on_somebodys_server_only_our_databases_are_dropped(own_server: PostgresServer) -> None:
    theirs = own_server.create_database()
    url = own_server.admin_url.replace("postgresql://", "postgresql+psycopg2://")
    with attach_server(url, []) as attached:
        assert (attached.major, attached.port) == (own_server.major, own_server.port)
        ours = attached.create_database()
        renamed = f"{attached.prefix}renamed"
        execute(
            own_server.admin_url, f"ALTER DATABASE {urlsplit(ours).path[1:]} RENAME TO {renamed}"
        )
        assert renamed in databases(own_server)
    assert renamed not in databases(own_server)
    assert urlsplit(theirs).path[1:] in databases(own_server)
    own_server.drop_database(theirs)


def test_somebodys_server_may_be_named_in_the_query(own_server: PostgresServer) -> None:
    parts = urlsplit(own_server.admin_url)
    where = f"host={parts.hostname}&port={parts.port}&user={parts.username}"
    with attach_server(f"postgresql:///postgres?{where}&password={parts.password}", []) as attached:
        url = attached.create_database()
        assert fetch_column(url, "SELECT current_database()") == [urlsplit(url).path[1:]]


@pytest.mark.parametrize("url", ["postgresql://host/x?dbname=theirs", "host=here dbname=theirs"])
def test_a_url_that_would_lead_to_their_database_is_refused(url: str) -> None:
    with pytest.raises(PostgresUnavailableError, match="must be"), attach_server(url, []):
        pass


def test_programs_for_somebodys_server_are_the_nearest_that_are_not_older(
    own_server: PostgresServer,
) -> None:
    old = PostgresBinaries(Path("/old"), f"{own_server.major - 1}.3")
    new = PostgresBinaries(Path("/new"), f"{own_server.major + 1}.3")
    newest = PostgresBinaries(Path("/newest"), f"{own_server.major + 2}.3")
    with attach_server(own_server.admin_url, [newest, new, old]) as attached:
        assert attached.program("pg_dump") == Path("/new/pg_dump")
    with (
        attach_server(own_server.admin_url, [old]) as attached,
        pytest.raises(PostgresUnavailableError, match="No pg_dump"),
    ):
        attached.program("pg_dump")


@pytest.mark.parametrize("place", ["127.0.0.1:1/x", "127.0.0.1:port/x", "127.0.0.1/x?nonsense=1"])
def test_an_unreachable_server_is_named_without_its_password(place: str) -> None:
    with (
        pytest.raises(PostgresUnavailableError, match="QADB_TEST_PG_URL") as caught,
        attach_server(f"postgresql://someone:hush-hush@{place}", []),
    ):
        pass
    assert "hush" not in str(caught.value)


def databases(server: PostgresServer) -> list[str]:
    return fetch_column(server.admin_url, "SELECT datname FROM pg_database")
