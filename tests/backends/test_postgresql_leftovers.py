"""What killed processes have rebuilt on a server goes; what anybody else is at stays."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql import locks, restorer
from qadb.backends.postgresql.connector import maintenance_url
from qadb.backends.postgresql.restoring.rebuilding import rebuilding_key
from qadb.backends.values import ConnectionOptions
from tests.backends.postgresql_rich import parsed
from tests.support.postgres_client import execute, fetch_column
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres_server import PostgresServer

OPTIONS = ConnectionOptions(application="qadb restore")


@pytest.fixture
def left(postgresql_url: str, postgresql_server: PostgresServer) -> Iterator[str]:
    """The URL of a database as a killed restore leaves it."""
    name = f"{postgresql_url.rpartition('/')[2]}_qadb_0123abcd"
    execute(postgresql_server.admin_url, "CREATE DATABASE {}", name)
    yield postgresql_url + "_qadb_0123abcd"
    execute(postgresql_server.admin_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def remove(url: str) -> tuple[str, ...]:
    return restorer.remove_leftovers(parsed(url), OPTIONS)


def is_there(url: str, server: PostgresServer) -> bool:
    found = fetch_column(server.admin_url, "SELECT datname FROM pg_database")
    return url.rpartition("/")[2] in found


def test_what_nobody_is_in_goes(
    postgresql_url: str, postgresql_server: PostgresServer, left: str
) -> None:
    assert remove(postgresql_url) == (left.rpartition("/")[2],)
    assert not is_there(left, postgresql_server)
    assert remove(postgresql_url) == ()


def test_a_program_that_outlived_its_qadb_is_ended(
    postgresql_url: str, postgresql_server: PostgresServer, left: str
) -> None:
    """A killed qadb can't end its pg_restore, which may build indexes for hours."""
    with closing(psycopg2.connect(left, application_name="qadb restore")):
        assert remove(postgresql_url)

    assert not is_there(left, postgresql_server)


def test_a_person_who_looks_at_it_is_left_alone(
    postgresql_url: str, postgresql_server: PostgresServer, left: str
) -> None:
    with closing(psycopg2.connect(left, application_name="psql")) as person:
        assert remove(postgresql_url) == ()
        person.cursor().execute("SELECT 1")

    assert is_there(left, postgresql_server)


def test_what_a_restore_is_at_stays_with_its_sessions(postgresql_url: str, left: str) -> None:
    place, key = maintenance_url(parsed(left)), rebuilding_key(left.rpartition("/")[2])
    with (
        locks.hold(place, OPTIONS, lambda _: key, 0, lambda _: None),
        closing(psycopg2.connect(left, application_name="qadb restore")) as worker,
    ):
        assert remove(postgresql_url) == ()
        worker.cursor().execute("SELECT 1")


def test_another_role_s_stays_and_is_no_failure(
    postgresql_url: str, postgresql_server: PostgresServer, left: str
) -> None:
    with ordinary_role(postgresql_url) as role:
        assert remove(role.url(postgresql_url)) == ()

    assert is_there(left, postgresql_server)
