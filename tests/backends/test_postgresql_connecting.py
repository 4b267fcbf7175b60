"""Connecting to PostgreSQL: what is tried again, what is not, and what is said about it."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql import connector
from qadb.errors import (
    AuthenticationFailed,
    ConfigurationError,
    DatabaseAbsent,
    DatabaseFailure,
    DatabaseUnreachable,
    InsufficientPrivilege,
    QadbError,
)
from tests.backends.refusing_server import refusing_server
from tests.support.databases import fetch_rows, open_database, with_login
from tests.support.postgres_client import execute, fetch_column
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.database import Database

RETRIES = 3

CONNECT: list[Callable[[Database], object]] = [
    lambda database: database.exists(),
    lambda database: database.create(),
    lambda database: database.wait_until_reachable(0),
    lambda database: fetch_rows(database, "SELECT 1"),
]
each_way = pytest.mark.parametrize("connect", CONNECT, ids=["exists", "create", "wait", "connect"])


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts, each over at once."""
    lengths: list[float] = []
    monkeypatch.setattr("qadb.retries.time.sleep", lengths.append)
    return lengths


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The database's name of each attempt to connect."""
    names: list[str] = []
    connect = psycopg2.connect

    def counting(
        dsn: str | None = None, *_: None, **options: str
    ) -> psycopg2.extensions.connection:
        names.append(options.get("dbname", ""))
        return connect(dsn, None, None, **options)

    monkeypatch.setattr("psycopg2.connect", counting)
    return names


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@each_way
def test_wrong_password_is_tried_once(
    postgresql_url: str,
    attempts: list[str],
    pauses: list[float],
    connect: Callable[[Database], object],
) -> None:
    with ordinary_role(postgresql_url) as role:
        url = with_login(postgresql_url, role.name, "wrong")
        attempts.clear()
        with (
            open_database(url, connect_retries=RETRIES) as database,
            pytest.raises(AuthenticationFailed) as caught,
        ):
            connect(database)
        assert (len(attempts), pauses) == (1, [])

    assert role.name in caught.value.message
    assert "PGPASSFILE" in (caught.value.hint or "")


@pytest.mark.parametrize("read_only", [True, False])
def test_unknown_database_is_absent_and_tried_once(
    postgresql_url: str, attempts: list[str], pauses: list[float], read_only: bool
) -> None:
    with (
        open_database(f"{postgresql_url}_no", connect_retries=RETRIES) as database,
        pytest.raises(DatabaseAbsent, match="_no"),
        database.connect(read_only=read_only),
    ):
        pass
    assert (len(attempts), pauses) == (1, [])


@pytest.mark.postgresql
@pytest.mark.parametrize("connect", [CONNECT[0], CONNECT[1], CONNECT[3]])
def test_closed_port_is_tried_again_with_growing_pauses(
    attempts: list[str], pauses: list[float], connect: Callable[[Database], object]
) -> None:
    url = f"postgresql://qa:geheim@127.0.0.1:{free_port()}/qa"
    with (
        open_database(url, connect_retries=RETRIES) as database,
        pytest.raises(DatabaseUnreachable) as caught,
    ):
        connect(database)

    assert len(attempts) == RETRIES + 1
    assert pauses[2] > pauses[0]
    assert type(caught.value) is DatabaseUnreachable
    assert "Connection refused" in caught.value.message
    assert "127.0.0.1" in caught.value.message


@pytest.mark.postgresql
def test_unknown_host_is_unreachable() -> None:
    with (
        open_database("postgresql://nowhere.invalid/qa") as database,
        pytest.raises(DatabaseUnreachable, match=r"nowhere\.invalid") as caught,
    ):
        database.exists()
    assert type(caught.value) is DatabaseUnreachable


@each_way
def test_refusal_in_another_language_is_not_tried_again(
    pauses: list[float], connect: Callable[[Database], object]
) -> None:
    message = "пользователь «somebody» не прошёл проверку подлинности (по паролю)"
    with (
        refusing_server("ВАЖНО", message.encode()) as server,
        open_database(server.url, connect_retries=RETRIES) as database,
        pytest.raises(AuthenticationFailed, match="не прошёл проверку"),
    ):
        connect(database)

    assert pauses == []


@each_way
@pytest.mark.parametrize("encoding", ["koi8-r", "cp1251", "shift-jis"])
def test_refusal_in_another_encoding_is_still_a_refusal(
    pauses: list[float], connect: Callable[[Database], object], encoding: str
) -> None:
    with (
        refusing_server("FATAL", "отказано".encode(encoding)) as server,
        open_database(server.url, connect_retries=RETRIES) as database,
        pytest.raises(AuthenticationFailed),
    ):
        connect(database)

    assert pauses == []


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("57P03", b"the database system is starting up"),
        ("57P03", b"the database system is not yet accepting connections"),
        ("53300", b"sorry, too many clients already"),
        ("53300", b"remaining connection slots are reserved for roles with SUPERUSER"),
        ("08P01", b"no more connections allowed (max_client_conn)"),
    ],
)
def test_server_that_takes_no_connections_now_is_tried_again(
    pauses: list[float], state: str, message: bytes
) -> None:
    with (
        refusing_server("FATAL", message, state) as server,
        open_database(server.url, connect_retries=RETRIES) as database,
        pytest.raises(DatabaseUnreachable) as caught,
    ):
        fetch_rows(database, "SELECT 1")

    assert type(caught.value) is DatabaseUnreachable
    assert (server.refused, len(pauses)) == (RETRIES + 1, RETRIES)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b'database "qa" does not exist', DatabaseAbsent),
        (b"no such database: qa", DatabaseAbsent),
        (b'role "database that does not exist" does not exist', AuthenticationFailed),
        (b'role "somebody" is not permitted to log in', AuthenticationFailed),
        (b'permission denied for database "qa"', InsufficientPrivilege),
        (b'no pg_hba.conf entry for host "::1", user "x", no encryption', AuthenticationFailed),
    ],
)
def test_refusals_are_told_apart(message: bytes, kind: type[QadbError]) -> None:
    with (
        refusing_server("FATAL", message) as server,
        open_database(server.url) as database,
        pytest.raises(kind) as caught,
        database.connect(),
    ):
        pass
    assert isinstance(caught.value, kind)
    assert caught.value.hint


def speak_russian(monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    """Have the server say in Russian that a database is missing."""
    connect = psycopg2.connect

    def translated(
        dsn: str | None = None, *_: None, **options: str
    ) -> psycopg2.extensions.connection:
        try:
            return connect(dsn, None, None, **options)
        except psycopg2.OperationalError as error:
            if "does not exist" not in str(error):
                raise
            text = f"failed: ВАЖНО:  база данных «{absent}» не существует"
            raise psycopg2.OperationalError(f"connection to server {text}\n") from None

    monkeypatch.setattr("psycopg2.connect", translated)


def test_absent_database_is_found_out_in_any_language(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_database(f"{postgresql_url}_new") as database:
        speak_russian(monkeypatch, database.url.database or "")

        assert not database.exists()
        assert database.create()
        assert database.exists()

    execute(postgresql_url, "DROP DATABASE {}", database.url.database or "")


def test_database_name_defaults_as_libpq_does(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, _, name = postgresql_url.rpartition("/")
    monkeypatch.setenv("PGDATABASE", f"{name}_from_environment")
    with open_database(f"{base}/") as database:
        assert database.url.database is None
        assert not database.exists()
        assert database.create()
        assert fetch_rows(database, "SELECT current_database()") == [(f"{name}_from_environment",)]

    execute(postgresql_url, "DROP DATABASE {} WITH (FORCE)", f"{name}_from_environment")


def test_server_that_is_too_old_is_refused_and_left(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "OLDEST_SUPPORTED", 99)
    with (
        open_database(postgresql_url, connect_retries=RETRIES) as database,
        pytest.raises(DatabaseFailure, match="needs 99"),
        database.connect(),
    ):
        pass

    others = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname ="
    name = postgresql_url.rpartition("/")[2]
    assert fetch_column(postgresql_url, f"{others} '{name}'") == []


def test_a_server_is_not_asked_for_a_type_that_nobody_uses(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr("psycopg2.extras.HstoreAdapter.get_oids", refuse)

    with open_database(postgresql_url) as database:
        assert fetch_rows(database, "SELECT 1") == [(1,)]
        with database.connect() as connection:
            connection.exec_driver_sql("SELECT 1")


@pytest.mark.postgresql
def test_characters_that_libpq_can_not_take_are_named_without_the_password() -> None:
    with open_database("postgresql://qa@127.0.0.1:1/qa") as database:
        broken = type(database.url)(
            engine="postgresql", password="geheim\udcff", database="qa", hosts=(("127.0.0.1", 1),)
        )
        with pytest.raises(ConfigurationError) as caught:
            connector.database_exists(broken)

    assert "geheim" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
