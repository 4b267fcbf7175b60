"""PostgreSQL's own programs: which ones are taken, how they sign in, what their failures mean."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql.programs import access as program_access
from qadb.backends.postgresql.programs import finding as programs
from qadb.backends.postgresql.programs.failures import explain
from qadb.errors import (
    ConfigurationError,
    DatabaseFailure,
    InsufficientPrivilege,
    LockNotAvailable,
    MissingProgram,
    QadbError,
    StorageFull,
)
from tests.backends.postgresql_rich import OPTIONS, frozen, on_path, parsed, processes_of, write_out
from tests.support.postgres_client import execute, fetch_column

if TYPE_CHECKING:
    from tests.support.postgres_server import PostgresServer


@pytest.fixture(autouse=True)
def programs_on_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "postgresql_server" in request.fixturenames:
        on_path(monkeypatch, request.getfixturevalue("postgresql_server"))


@pytest.mark.parametrize("option", ["options=-c geqo=off", "fallback_application_name=x"])
def test_options_of_the_url_hold_for_the_program_too(
    postgresql_url: str, tmp_path: Path, option: str
) -> None:
    key, _, value = option.partition("=")
    url = parsed(f"{postgresql_url}?{key}={value.replace(' ', '%20').replace('=', '%3D')}")
    with frozen(url, tmp_path) as moment:
        assert write_out(moment).getvalue().startswith(b"PGDMP")


def test_server_among_several_hosts_is_the_one_that_holds_the_moment(
    postgresql_server: PostgresServer, postgresql_url: str, tmp_path: Path
) -> None:
    place = f"127.0.0.1:{postgresql_server.port}"
    url = parsed(postgresql_url.replace(place, f"127.0.0.1:1,{place}"))
    with frozen(url, tmp_path) as moment:
        assert write_out(moment).getvalue().startswith(b"PGDMP")
        with program_access.program_access(
            url, moment.reached, database="x", application="x", folder=tmp_path
        ) as access:
            lines = Path(access.environment["PGSERVICEFILE"]).read_text().splitlines()

    assert "host=127.0.0.1" in lines
    assert f"port={postgresql_server.port}" in lines


def test_program_of_another_thread_ends_with_the_moment(
    postgresql_url: str, tmp_path: Path
) -> None:
    """Such as one that waits for a lock when the user has had enough."""
    execute(postgresql_url, "CREATE TABLE t (n integer)")
    failures: list[Exception] = []

    def write() -> None:
        try:
            write_out(moment)
        except QadbError as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    with closing(psycopg2.connect(postgresql_url)) as other:
        other.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with frozen(parsed(postgresql_url), tmp_path) as moment:
            writer.start()
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"
            while not fetch_column(postgresql_url, waiting):
                assert writer.is_alive()
        writer.join(30)

    assert len(failures) == 1
    assert processes_of("pg_dump") == []


def test_service_of_the_user_is_found(
    postgresql_server: PostgresServer,
    postgresql_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "services"
    file.write_text(f"[ours]\nhost=127.0.0.1\nport={postgresql_server.port}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    plain = parsed(postgresql_url)
    monkeypatch.setenv("PGPASSWORD", str(plain.password))
    folder = tmp_path / "empty"
    folder.mkdir()

    url = parsed(f"postgresql:///{plain.database}?service=ours&user={plain.user}")
    with frozen(url, folder) as moment:
        assert write_out(moment).getvalue().startswith(b"PGDMP")


@pytest.mark.parametrize("part", ["two\nlines", "null\0"])
def test_password_that_no_file_can_hold_is_refused(
    postgresql_url: str, tmp_path: Path, part: str
) -> None:
    with psycopg2.connect(postgresql_url) as connection:
        plain = parsed(postgresql_url)
        changed = type(plain)(engine="postgresql", user="x", password=part)
        with (
            pytest.raises(ConfigurationError) as caught,
            program_access.program_access(
                changed, connection.info, database="x", application="x", folder=tmp_path
            ),
        ):
            pass
    connection.close()
    assert part not in caught.value.explanation
    assert list(tmp_path.iterdir()) == []


def fake_programs(folder: Path, version: str, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names or programs.NAMES:
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for installations; there are no others but on PATH."""
    monkeypatch.setattr(programs, "USUAL_FOLDERS", (f"{tmp_path}/usual/*/bin",))
    monkeypatch.setenv("PATH", "/bin")
    if Path("/bin/pg_dump").exists() and Path("/bin/pg_dump").resolve().name != programs.WRAPPER:
        monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_programs_of_the_servers_own_version_come_first(only: Path) -> None:
    for version in ("15.2", "16.4", "17.1"):
        fake_programs(only / "usual" / version / "bin", version)

    assert programs.find_programs(16).version == "16.4"
    assert programs.find_programs(14).version == "15.2"
    assert programs.find_programs(15, oldest=17).version == "17.1"


def test_programs_on_path_come_before_those_in_usual_places(
    only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_programs(only / "usual" / "16" / "bin", "16.4")
    mine = fake_programs(only / "mine", "16.1")
    monkeypatch.setenv("PATH", f"{mine}{os.pathsep}{os.environ['PATH']}")

    assert programs.find_programs(16).folder == mine


def test_both_programs_have_to_be_there_and_of_one_version(only: Path) -> None:
    fake_programs(only / "usual" / "a" / "bin", "16.4", "pg_dump")
    mixed = fake_programs(only / "usual" / "b" / "bin", "16.4", "pg_dump")
    (mixed / "pg_restore").write_text("#!/bin/sh\necho 'pg_restore (PostgreSQL) 15.1'\n")
    (mixed / "pg_restore").chmod(0o755)
    broken = fake_programs(only / "usual" / "c" / "bin", "16.4")
    (broken / "pg_dump").write_text("#!/bin/sh\nexit 1\n")

    with pytest.raises(MissingProgram, match="but none"):
        programs.find_programs(16)


def test_wrapper_that_chooses_a_version_itself_is_passed_over(
    only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = fake_programs(only / "share", "16.4", programs.WRAPPER) / programs.WRAPPER
    folder = only / "commands"
    folder.mkdir()
    for name in programs.NAMES:
        (folder / name).symlink_to(wrapper)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(MissingProgram):
        programs.find_programs(16)


def test_older_programs_are_refused_with_both_versions(
    postgresql_server: PostgresServer, postgresql_url: str, only: Path
) -> None:
    fake_programs(only / "usual" / "13" / "bin", "13.9")
    folder = only / "work"
    folder.mkdir()

    with pytest.raises(MissingProgram) as caught, frozen(parsed(postgresql_url), folder):
        pass

    assert f"PostgreSQL {postgresql_server.major}" in caught.value.message
    assert "13.9" in caught.value.message
    assert f"postgresql-client-{postgresql_server.major}" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("pg_dump: error: query failed: ERROR:  permission denied for table t", None, "table t"),
        (
            "pg_dump: error: x\nERROR:  canceling statement due to lock timeout",
            LockNotAvailable,
            "",
        ),
        (
            'pg_restore: error: ERROR:  could not extend file "base/1": No space left on device',
            StorageFull,
            "could not extend",
        ),
        ("pg_dump: error: something else: geheim", DatabaseFailure, "something else: ***"),
        ("", DatabaseFailure, "status 3"),
    ],
)
def test_failure_is_told_in_our_words(text: str, kind: type[QadbError] | None, words: str) -> None:
    url = parsed("postgresql://qa:geheim@127.0.0.1/qa")
    error = explain("pg_dump", 3, text, url)

    assert isinstance(error, kind or InsufficientPrivilege)
    assert words in error.message
    assert error.hint
    assert OPTIONS.application == "qadb backup"
