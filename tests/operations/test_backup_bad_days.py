"""Backup and restore with a server that goes, a reader without rights, and another at work."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backups.archive import ArchiveReader
from qadb.backups.folder import list_backups
from qadb.errors import InsufficientPrivilege
from qadb.operations.backup import BackupOptions, create_backup
from qadb.operations.init import init_database
from qadb.operations.status import read_status
from tests.support.databases import execute, fetch_rows, open_database, sqlite_file
from tests.support.postgres_binaries import find_installations
from tests.support.postgres_client import execute as execute_at
from tests.support.postgres_client import fetch_column
from tests.support.postgres_server import start_server
from tests.support.program import Ended
from tests.support.roles import Role, ordinary_role
from tests.support.unprivileged import NOBODY, as_nobody, open_folder

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer
    from tests.support.program import Program

DEADLINE_SECONDS = 30

# Filled at once where it is made, for a minute where it is restored.
SLOW_TO_RESTORE = """
CREATE MATERIALIZED VIEW slow AS
SELECT pg_sleep(CASE WHEN current_database() ~ '_qadb_' THEN 60 ELSE 0 END)::text AS nothing
"""
DUMPING = "query LIKE 'LOCK TABLE%' AND wait_event_type = 'Lock'"
RESTORING = "wait_event = 'PgSleep'"


def until(admin_url: str, condition: str, process: subprocess.Popen[str]) -> None:
    """Wait for one of the program's sessions to be where it is wanted."""
    query = "SELECT pid::text FROM pg_stat_activity WHERE application_name ~ '^qadb' AND "
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not fetch_column(admin_url, query + condition):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def end(process: subprocess.Popen[str]) -> Ended:
    stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    return Ended(process.returncode, stdout, stderr)


def require_one_sentence(ended: Ended, exit_code: int) -> None:
    lines = ended.stderr.splitlines()
    assert ended.exit_code == exit_code, ended
    assert [line[:6] for line in lines] in (["Error:"], ["Error:", "Hint: "]), ended


def without_what_is_left(ended: Ended) -> Ended:
    """What can't be dropped on a server that is gone has to be named."""
    lines = ended.stderr.splitlines(keepends=True)
    kept = [line for line in lines if "could not be dropped" not in line]
    assert len(lines) - len(kept) <= 1
    return Ended(ended.exit_code, ended.stdout, "".join(kept))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def databases_beside(url: str, server: PostgresServer) -> list[str]:
    name = url.rpartition("/")[2]
    found = fetch_column(server.admin_url, "SELECT datname FROM pg_database")
    return [each for each in found if each.startswith(name) and each != name]


@pytest.fixture
def slow(postgresql_url: str) -> Iterator[Database]:
    """A database on a server that takes a minute to restore."""
    with open_database(postgresql_url) as database:
        init_database(database)
        execute(database, SLOW_TO_RESTORE)
        yield database


def terminate(server: PostgresServer, condition: str) -> None:
    query = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE "
    assert fetch_column(server.admin_url, query + condition)


def test_session_of_pg_dump_that_is_ended_ends_the_backup(
    slow: Database,
    postgresql_url: str,
    postgresql_server: PostgresServer,
    qadb: Program,
    tmp_path: Path,
) -> None:
    place = tmp_path / "backups"
    with closing(psycopg2.connect(postgresql_url)) as holder:
        holder.cursor().execute("LOCK TABLE countries")
        process = qadb.start("backup", str(place), QADB_DATABASE_URL=postgresql_url)
        until(postgresql_server.admin_url, DUMPING, process)
        terminate(postgresql_server, DUMPING)
        ended = end(process)

    require_one_sentence(ended, 3)
    assert names_in(place) == []
    assert create_backup(slow, place).path.exists()


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_session_of_pg_restore_that_is_ended_leaves_the_database_in_place(
    slow: Database,
    postgresql_url: str,
    postgresql_server: PostgresServer,
    qadb: Program,
    tmp_path: Path,
    verb: str,
) -> None:
    place = tmp_path / "backups"
    path = create_backup(slow, place).path
    slow.close()
    words = {"backup": [str(place), "--verify"], "restore": [str(path), "--yes"]}
    process = qadb.start(verb, *words[verb], QADB_DATABASE_URL=postgresql_url)
    until(postgresql_server.admin_url, RESTORING, process)
    terminate(postgresql_server, RESTORING)

    require_one_sentence(end(process), 3)
    assert databases_beside(postgresql_url, postgresql_server) == []
    assert names_in(place) == [path.name]
    assert fetch_rows(slow, "SELECT count(*) FROM countries") == [(249,)]


@pytest.mark.postgresql
@pytest.mark.parametrize("verb", ["backup", "verify", "restore"])
def test_server_that_is_gone_half_way_is_said_in_a_sentence(
    qadb: Program, tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "backups"
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with start_server(find_installations()[0]) as server:
        monkeypatch.setenv("PATH", str(server.program("pg_dump").parent), prepend=os.pathsep)
        url = server.create_database()
        with open_database(url) as database:
            init_database(database)
            execute(database, SLOW_TO_RESTORE)
            path = create_backup(database, place).path
        words = {
            "backup": ["backup", str(place)],
            "verify": ["backup", str(place), "--verify"],
            "restore": ["restore", str(path), "--yes"],
        }
        with closing(psycopg2.connect(url if verb == "backup" else server.admin_url)) as holder:
            if verb == "backup":
                holder.cursor().execute("LOCK TABLE countries")
            process = qadb.start(*words[verb], QADB_DATABASE_URL=url, DATABASE_CONNECT_RETRIES="0")
            until(server.admin_url, DUMPING if verb == "backup" else RESTORING, process)
            assert server.folder is not None
            postmaster = (server.folder / "data" / "postmaster.pid").read_text().splitlines()[0]
            os.kill(int(postmaster), signal.SIGQUIT)
            ended = end(process)

    require_one_sentence(without_what_is_left(ended), 3)
    assert names_in(place) == [path.name]
    assert names_in(tmp_path / "tmp") == []


def test_reader_of_a_file_saves_it_and_is_told_that_nobody_wrote_it_down() -> None:
    with open_folder() as folder:
        (folder / "data").mkdir()
        url = f"sqlite:///{folder / 'data' / 'qa.sqlite3'}"
        with open_database(url) as database:
            init_database(database)
        sqlite_file(url).chmod(0o644)
        (folder / "data").chmod(0o555)
        place = folder / "backups"
        place.mkdir()
        os.chown(place, NOBODY if os.geteuid() == 0 else -1, -1)
        said: list[str] = []
        try:
            with as_nobody(), open_database(url) as database:
                options = BackupOptions(verify=True)
                result = create_backup(database, place, options, notify=said.append)
        finally:
            (folder / "data").chmod(0o755)

        assert (result.is_verified, result.is_recorded) == (True, False)
        assert any("history was not written" in line for line in said)
        with ArchiveReader(result.path) as archive:
            archive.check_seal()


@pytest.fixture
def reader(postgresql_url: str) -> Iterator[Role]:
    with open_database(postgresql_url) as database:
        init_database(database)
    with ordinary_role(postgresql_url) as role:
        execute_at(postgresql_url, "GRANT pg_read_all_data TO {}", role.name)
        yield role


def test_reader_of_a_server_saves_it_and_is_told_that_nobody_wrote_it_down(
    reader: Role, postgresql_url: str, tmp_path: Path
) -> None:
    execute_at(postgresql_url, "ALTER ROLE {} BYPASSRLS", reader.name)
    said: list[str] = []
    with open_database(reader.url(postgresql_url)) as database:
        result = create_backup(database, tmp_path / "backups", notify=said.append)
        assert read_status(database).last_backup is None

    assert not result.is_recorded
    assert [line for line in said if "history was not written" in line] == said
    assert result.manifest.tables["countries"] == 249


def test_reader_from_whom_row_security_hides_rows_is_told_what_it_takes(
    reader: Role, postgresql_url: str, tmp_path: Path
) -> None:
    place = tmp_path / "backups"
    with (
        open_database(reader.url(postgresql_url)) as database,
        pytest.raises(InsufficientPrivilege, match=r"[Rr]ow.security") as caught,
    ):
        create_backup(database, place)

    assert f"ALTER ROLE {reader.name} BYPASSRLS" in (caught.value.hint or "")
    assert names_in(place) == []


def test_two_at_once_make_two_backups_with_names_of_their_own(
    migrated: Database, migrated_url: str, qadb: Program, tmp_path: Path
) -> None:
    place = tmp_path / "backups"
    words = ("backup", str(place), "--json")
    processes = [qadb.start(*words, QADB_DATABASE_URL=migrated_url) for _ in range(2)]
    ended = [end(process) for process in processes]

    assert [each.exit_code for each in ended] == [0, 0], ended
    made = {json.loads(each.stdout)["path"] for each in ended}
    assert made == {str(backup.path) for backup in list_backups(place)}
    assert len(made) == 2
    assert fetch_rows(migrated, "SELECT count(*) FROM qadb_history WHERE operation = 'backup'") == [
        (2,)
    ]


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_who_does_not_wait_is_told_who_is_at_work(
    migrated: Database, migrated_url: str, qadb: Program, tmp_path: Path, verb: str
) -> None:
    place = tmp_path / "backups"
    path = create_backup(migrated, place).path
    before = names_in(place)
    words = {"backup": [str(place)], "restore": [str(path), "--yes"]}
    with migrated.exclusive(wait_seconds=0, on_wait=lambda _: None):
        ended = qadb(verb, *words[verb], "--wait-lock", "0", QADB_DATABASE_URL=migrated_url)

    require_one_sentence(ended, 5)
    assert "pid " in ended.stderr
    assert names_in(place) == before
