"""PostgreSQL where rights are missing: refused in one sentence, with the statement that helps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql import connector
from qadb.database import Database
from qadb.errors import InsufficientPrivilege
from tests.backends.sample import PARENT, make_tables
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.postgres_client import execute as execute_as_admin
from tests.support.postgres_client import fetch_column
from tests.support.roles import Role, ordinary_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres_server import PostgresServer


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Role]:
    """A role without rights on the tables that a superuser made."""
    with open_database(postgresql_url) as database:
        make_tables(database)
    with ordinary_role(postgresql_url) as ordinary:
        yield ordinary


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        (
            "SELECT * FROM parent",
            "Ask the owner to run: GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE parent TO {role}",
        ),
        (
            'DELETE FROM "Sample rows"',
            'Ask the owner to run: GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "Sample rows" TO ',
        ),
        (
            "SELECT nextval('parent_id_seq')",
            "Ask the owner to run: GRANT USAGE, SELECT ON SEQUENCE parent_id_seq TO {role}",
        ),
        (
            "CREATE TABLE hidden.t (id integer)",
            "Ask the owner to run: GRANT USAGE, CREATE ON SCHEMA hidden TO {role}",
        ),
        (
            "ALTER TABLE parent ADD COLUMN name text",
            "Use the owner's role, or ask for its membership: GRANT … TO {role}",
        ),
        ("CREATE ROLE another", "Ask the owner of the database for the right"),
    ],
)
def test_missing_right_is_named_with_what_to_grant(
    postgresql_url: str, role: Role, statement: str, hint: str
) -> None:
    execute_as_admin(postgresql_url, "CREATE SCHEMA hidden")
    with (
        open_database(role.url(postgresql_url)) as database,
        pytest.raises(InsufficientPrivilege) as caught,
    ):
        execute(database, statement)

    assert role.name in caught.value.message
    assert (caught.value.hint or "").startswith(hint.format(role=role.name))


def test_granting_what_the_hint_says_helps(postgresql_url: str, role: Role) -> None:
    with open_database(role.url(postgresql_url)) as database:
        with pytest.raises(InsufficientPrivilege) as caught:
            execute(database, "SELECT * FROM parent")
        execute_as_admin(postgresql_url, (caught.value.hint or "").partition(": ")[2])

        assert fetch_rows(database, "SELECT * FROM parent") == []


def test_copy_without_a_right_is_refused_in_our_words(postgresql_url: str, role: Role) -> None:
    execute_as_admin(postgresql_url, "GRANT SELECT ON parent TO {}", role.name)
    with (
        open_database(role.url(postgresql_url)) as database,
        pytest.raises(InsufficientPrivilege, match="parent"),
        database.connect() as connection,
    ):
        database.backend.bulk.insert(connection, PARENT, ("id",), [(1,)])


def test_missing_right_to_temporary_tables_is_named(postgresql_url: str, role: Role) -> None:
    name = postgresql_url.rpartition("/")[2]
    execute_as_admin(postgresql_url, "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", name)
    execute_as_admin(postgresql_url, "GRANT ALL ON parent TO {}", role.name)
    with (
        open_database(role.url(postgresql_url)) as database,
        pytest.raises(InsufficientPrivilege) as caught,
        database.connect() as connection,
    ):
        database.backend.bulk.insert_missing(connection, PARENT, ("id",), [(1,)])

    grant = f"GRANT TEMPORARY ON DATABASE {name} TO {role.name}"
    assert caught.value.hint == f"Ask the owner to run: {grant}"


def test_missing_right_to_connect_is_named(postgresql_url: str, role: Role) -> None:
    name = postgresql_url.rpartition("/")[2]
    execute_as_admin(postgresql_url, "REVOKE CONNECT ON DATABASE {} FROM PUBLIC", name)
    with (
        open_database(role.url(postgresql_url)) as database,
        pytest.raises(InsufficientPrivilege) as caught,
        database.connect(),
    ):
        pass

    assert f"GRANT CONNECT ON DATABASE {name} TO {role.name}" in (caught.value.hint or "")


def test_role_without_createdb_is_told_so(postgresql_url: str, role: Role) -> None:
    with (
        open_database(role.url(f"{postgresql_url}_new")) as database,
        pytest.raises(InsufficientPrivilege) as caught,
    ):
        database.create()

    assert "permission denied to create database" in caught.value.message
    assert f"ALTER ROLE {role.name} CREATEDB" in (caught.value.hint or "")


def test_create_goes_by_another_way_where_postgres_is_closed(
    postgresql_server: PostgresServer, postgresql_url: str, role: Role
) -> None:
    """Roles that hold CREATEDB may be kept out of the usual database."""
    execute_as_admin(postgresql_url, "ALTER ROLE {} CREATEDB", role.name)
    execute_as_admin(postgresql_url, "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
    new_url = f"{postgresql_url}_new"
    try:
        with open_database(role.url(new_url)) as database:
            assert database.create()
            assert database.exists()
    finally:
        execute_as_admin(postgresql_url, "GRANT CONNECT ON DATABASE postgres TO PUBLIC")
        postgresql_server.drop_database(new_url)


@pytest.mark.parametrize(
    "end", [' "quoted"', " 'single'", " Capital Letters", " dé 日本", " a%b%%", " a/b?c#d", "; --"]
)
def test_database_may_have_any_name(
    postgresql_server: PostgresServer, postgresql_url: str, end: str
) -> None:
    plain = open_database(postgresql_url).url
    name = f"{plain.database}{end}"
    names = "SELECT datname FROM pg_database"
    with Database(plain.with_database(name), connect_retries=0) as database:
        assert not database.exists()
        assert database.create()
        assert not database.create()
        assert name in fetch_column(postgresql_server.admin_url, names)
        assert fetch_rows(database, "SELECT current_database()") == [(name,)]
        encoding = fetch_rows(database, "SHOW server_encoding")

    execute_as_admin(postgresql_server.admin_url, "DROP DATABASE {} WITH (FORCE)", name)
    assert encoding == [("UTF8",)]


def test_create_that_finds_the_name_taken_has_not_made_it(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "database_exists", lambda _url: False)

    with open_database(postgresql_url) as database:
        assert not database.create()


def test_several_that_create_at_once_make_one(
    postgresql_server: PostgresServer, postgresql_url: str
) -> None:
    new_url = f"{postgresql_url}_new"
    start = threading.Barrier(4)
    made: list[object] = []

    def create() -> None:
        try:
            with open_database(new_url) as database:
                start.wait(timeout=10)
                made.append(database.create())
        except Exception as error:  # noqa: BLE001 - to show it in the test's own thread
            made.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, made)) == ["False", "False", "False", "True"]
    postgresql_server.drop_database(new_url)
