"""Writing a PostgreSQL database out: one moment, whole or not at all, and no secret shown."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from sqlalchemy.exc import ProgrammingError

from qadb.errors import (
    AuthenticationFailed,
    ConnectionLost,
    DatabaseFailure,
    InsufficientPrivilege,
)
from tests.backends.postgresql_rich import (
    as_text,
    frozen,
    make_rich,
    on_path,
    parsed,
    processes_of,
    run,
    write_out,
)
from tests.support.databases import open_database, with_login
from tests.support.postgres_client import execute, fetch_column
from tests.support.roles import Role, ordinary_role

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer


@pytest.fixture(autouse=True)
def programs_on_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "postgresql_server" in request.fixturenames:
        on_path(monkeypatch, request.getfixturevalue("postgresql_server"))


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Role]:
    with ordinary_role(postgresql_url, password="ge:hei\\m $'x'") as ordinary:
        yield ordinary


@pytest.fixture
def rich_url(postgresql_url: str, role: Role) -> DatabaseUrl:
    make_rich(postgresql_url, role.name)
    return parsed(postgresql_url)


def listing(content: io.BytesIO, server: PostgresServer, folder: Path) -> str:
    """What pg_restore finds in an archive."""
    file = folder / "content"
    file.write_bytes(content.getvalue())
    return run(server.program("pg_restore"), "--list", file)


def test_content_is_an_uncompressed_archive_of_everything(
    postgresql_server: PostgresServer, rich_url: DatabaseUrl, tmp_path: Path
) -> None:
    told: list[int] = []
    with frozen(rich_url, tmp_path) as moment:
        content = write_out(moment, told.append)

    found = listing(content, postgresql_server, tmp_path)
    assert "Compression: none" in found or "Compression: 0" in found
    for part in ("TABLE DATA Other place numbers", "POLICY public guarded", "TRIGGER public"):
        assert part in found
    assert told[-1] == len(content.getvalue())
    assert moment.size_bytes > len(content.getvalue()) / 10
    assert moment.content_name == "database.pgdump"


def test_details_tell_what_an_archive_does_not_carry(
    postgresql_server: PostgresServer, rich_url: DatabaseUrl, role: Role, tmp_path: Path
) -> None:
    with frozen(rich_url, tmp_path) as moment:
        details = json.loads(json.dumps(dict(moment.details)))

    assert details["database"] == rich_url.database
    assert details["server_version"] == postgresql_server.version
    assert details["server_version_num"] // 10_000 == postgresql_server.major
    assert details["pg_dump"].startswith(f"{postgresql_server.major}.")
    assert details["encoding"] == "UTF8"
    assert details["owner"] == rich_url.user
    assert details["roles"] == sorted([role.name, str(rich_url.user)])
    assert details["owners"] == [rich_url.user]
    assert details["extensions"] == {}
    assert details["comment"] == 'ours; it\'s "quoted"'
    assert details["settings"] == [
        {"role": None, "settings": ["work_mem=7MB", 'search_path=public, "Other place"']},
        {"role": role.name, "settings": ["statement_timeout=90s"]},
    ]
    assert role.name in details["acl"]


def test_moment_is_one_while_others_write(
    postgresql_server: PostgresServer, postgresql_url: str, tmp_path: Path
) -> None:
    execute(postgresql_url, "CREATE TABLE a (n integer); CREATE TABLE b (n integer)")
    with open_database(postgresql_url) as database:
        ended = threading.Event()

        def write_pairs() -> None:
            with database.engine().connect() as connection:
                while not ended.is_set():
                    connection.exec_driver_sql("INSERT INTO a VALUES (1)")
                    connection.exec_driver_sql("INSERT INTO b VALUES (1)")
                    connection.commit()

        writer = threading.Thread(target=write_pairs)
        writer.start()
        try:
            with frozen(database.url, tmp_path) as moment:
                first = database.backend.sizes.count_rows(moment.connection)
                content = write_out(moment)
                second = database.backend.sizes.count_rows(moment.connection)
        finally:
            ended.set()
            writer.join()
    (tmp_path / "content").write_bytes(content.getvalue())
    program = postgresql_server.program("pg_restore")
    text = run(program, "--data-only", "--file=-", tmp_path / "content")

    assert first == second
    assert first["a"] == first["b"]
    assert text.splitlines().count("1") == first["a"] * 2


def test_rows_are_counted_in_every_namespace_and_partition_once(
    rich_url: DatabaseUrl, tmp_path: Path
) -> None:
    with open_database(as_text(rich_url)) as database, frozen(rich_url, tmp_path) as moment:
        counts = database.backend.sizes.count_rows(moment.connection)

    assert counts == {"guarded": 2, "measured": 100, "Other place.numbers": 500}


def test_rows_that_row_security_hides_are_an_error(
    postgresql_url: str, rich_url: DatabaseUrl, role: Role, tmp_path: Path
) -> None:
    execute(postgresql_url, "GRANT pg_read_all_data TO {}", role.name)
    confined = parsed(role.url(postgresql_url))
    with frozen(confined, tmp_path) as moment:
        with pytest.raises(InsufficientPrivilege, match="Row security hides rows") as caught:
            write_out(moment)
        assert "BYPASSRLS" in (caught.value.hint or "")
        with pytest.raises(ProgrammingError, match="row-level security"):
            moment.connection.exec_driver_sql("SELECT count(*) FROM guarded")

    with (
        open_database(role.url(postgresql_url)) as database,
        pytest.raises(InsufficientPrivilege),
        database.connect() as connection,
    ):
        database.backend.sizes.count_rows(connection)


def test_missing_right_is_named_with_what_helps(
    postgresql_url: str, role: Role, tmp_path: Path
) -> None:
    execute(postgresql_url, "CREATE TABLE hidden (id integer)")
    url = parsed(role.url(postgresql_url))
    with frozen(url, tmp_path) as moment, pytest.raises(InsufficientPrivilege) as caught:
        write_out(moment)

    assert "permission denied for table hidden" in caught.value.message
    assert f"GRANT pg_read_all_data TO {role.name}" in (caught.value.hint or "")

    execute(postgresql_url, "GRANT pg_read_all_data TO {}", role.name)
    with frozen(url, tmp_path) as moment:
        assert write_out(moment).getvalue().startswith(b"PGDMP")


def test_wrong_password_is_refused_before_anything(
    postgresql_url: str, role: Role, tmp_path: Path
) -> None:
    url = parsed(with_login(postgresql_url, role.name, "wrong"))
    with pytest.raises(AuthenticationFailed), frozen(url, tmp_path):
        pass


def test_password_that_changes_meanwhile_is_told_without_it(
    postgresql_url: str, role: Role, tmp_path: Path
) -> None:
    with frozen(parsed(role.url(postgresql_url)), tmp_path) as moment:
        execute(postgresql_url, "ALTER ROLE {} PASSWORD 'another'", role.name)
        with pytest.raises(AuthenticationFailed) as caught:
            write_out(moment)

    assert role.name in caught.value.message
    assert role.password not in caught.value.explanation


def test_no_process_shows_the_password(
    postgresql_url: str, role: Role, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(postgresql_url, "CREATE TABLE t AS SELECT generate_series(1, 300000) AS n")
    execute(postgresql_url, "GRANT SELECT ON t TO {}", role.name)
    url = role.url(postgresql_url)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("PGPASSWORD", "another secret")
    seen: list[tuple[str, str, list[int]]] = []

    def look(_: int) -> None:
        for process in processes_of("pg_dump"):
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            modes = [path.stat().st_mode & 0o777 for path in (*files, *tmp_path.iterdir())]
            with suppress(psutil.NoSuchProcess):  # it may be done before we are
                seen.append((str(process.cmdline()), str(process.environ()), modes))

    with frozen(parsed(url), tmp_path) as moment:
        write_out(moment, look)

    assert seen
    for arguments, environment, modes in seen:
        for text in (arguments, environment):
            assert role.password not in text
            assert "DATABASE_URL" not in text
            assert "another secret" not in text
        assert sorted(modes) == [0o600, 0o600, 0o700]
    assert list(tmp_path.iterdir()) == []


def test_killed_program_is_an_error_and_leaves_nothing(postgresql_url: str, tmp_path: Path) -> None:
    execute(postgresql_url, "CREATE TABLE t AS SELECT generate_series(1, 300000) AS n")

    def kill(_: int) -> None:
        for process in processes_of("pg_dump"):
            process.send_signal(signal.SIGKILL)

    with (
        frozen(parsed(postgresql_url), tmp_path) as moment,
        pytest.raises(DatabaseFailure, match="ended by SIGKILL"),
    ):
        write_out(moment, kill)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_program_ends_when_its_output_is_not_wanted_any_more(
    postgresql_url: str, tmp_path: Path, error: BaseException
) -> None:
    execute(postgresql_url, "CREATE TABLE t AS SELECT generate_series(1, 300000) AS n")

    def fail(_: int) -> None:
        assert processes_of("pg_dump")
        raise error

    with frozen(parsed(postgresql_url), tmp_path) as moment:
        with pytest.raises(type(error)):
            write_out(moment, fail)
        assert processes_of("pg_dump") == []

    assert list(tmp_path.iterdir()) == []


def test_ended_server_process_is_a_lost_connection(postgresql_url: str, tmp_path: Path) -> None:
    execute(postgresql_url, "CREATE TABLE t AS SELECT generate_series(1, 2000000) AS n")
    end_others = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COPY %'"""

    def end(_: int) -> None:
        fetch_column(postgresql_url, end_others)

    with frozen(parsed(postgresql_url), tmp_path) as moment, pytest.raises(ConnectionLost):
        write_out(moment, end)


def test_moment_outlives_the_limits_of_a_session(postgresql_url: str, tmp_path: Path) -> None:
    name = postgresql_url.rpartition("/")[2]
    for setting in ("idle_in_transaction_session_timeout", "statement_timeout"):
        execute(postgresql_url, f"ALTER DATABASE {{}} SET {setting} = '300ms'", name)

    with frozen(parsed(postgresql_url), tmp_path) as moment:
        content = write_out(moment)
        time.sleep(0.4)
        slow = moment.connection.exec_driver_sql("SELECT 1 FROM pg_sleep(0.4)").scalar_one()

    assert (slow, content.read(5)) == (1, b"PGDMP")
