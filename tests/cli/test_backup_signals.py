"""Told to end in the middle, backup and restore tidy up, say so, and leave no program behind."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
import psycopg2
import pytest

from qadb.operations.backup import create_backup
from qadb.operations.init import init_database
from tests.support.databases import execute, fetch_rows, open_database, sqlite_file
from tests.support.postgres_client import fetch_column
from tests.support.program import Program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.postgres_server import PostgresServer

DEADLINE_SECONDS = 30
TIDY_SECONDS = 9  # shorter than any wait that a request to end would have to break off

ENDINGS = pytest.mark.parametrize(
    ("number", "exit_code", "sentence"),
    [(signal.SIGTERM, 143, "Terminated."), (signal.SIGINT, 130, "Interrupted.")],
)
BALLAST = (
    "CREATE TABLE ballast (content BLOB NOT NULL)",
    """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
    INSERT INTO ballast SELECT randomblob(1000000) FROM n""",
)
# Filled at once where it is made, for a minute where it is restored.
SLOW_TO_RESTORE = """
CREATE MATERIALIZED VIEW slow AS
SELECT pg_sleep(CASE WHEN current_database() ~ '_qadb_' THEN 60 ELSE 0 END)::text AS nothing
"""
WAITING_SQL = (
    "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'qadb {}' AND {}"
)


def program_for(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program for a database; backups and files on the way go to folders of their own."""
    for name in ("work", "backups", "tmp"):
        (folder / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    variables = {"QADB_DATABASE_URL": url, "QADB_BACKUP_DIR": str(folder / "backups")}
    return Program(folder / "work", variables)


@pytest.fixture
def sqlite_qadb(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program for a SQLite database of 60 MB."""
    with open_database(sqlite_url) as database:
        init_database(database)
        execute(database, *BALLAST)
    return program_for(sqlite_url, tmp_path, monkeypatch)


@pytest.fixture
def postgresql_qadb(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Program:
    """The program for a database on a server that takes a minute to restore."""
    with open_database(postgresql_url) as database:
        init_database(database)
        execute(database, SLOW_TO_RESTORE)
    return program_for(postgresql_url, tmp_path, monkeypatch)


def until(is_so: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal and return how the process ended; none of its own may outlive it."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    try:
        stdout, stderr = process.communicate(timeout=TIDY_SECONDS)
    finally:
        process.kill()
    assert [child for child in children if is_alive(child)] == []
    return process.returncode, stdout, stderr


def is_alive(child: psutil.Process) -> bool:
    """An orphan that has ended may wait for somebody to take note."""
    with suppress(psutil.NoSuchProcess):
        return child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    return False


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for name in ("backups", "tmp") for path in (folder / name).iterdir())


def databases_beside(url: str, server: PostgresServer) -> list[object]:
    found = fetch_column(server.admin_url, "SELECT datname FROM pg_database")
    name = url.rpartition("/")[2]
    return [each for each in found if each.startswith(name) and each != name]


def runs(name: str, process: subprocess.Popen[str]) -> bool:
    children = psutil.Process(process.pid).children(recursive=True)
    return any(child.name().startswith(name) for child in children)


@ENDINGS
@pytest.mark.parametrize("verify", [[], ["--verify"]])
def test_backup_of_a_file_leaves_nothing(
    sqlite_qadb: Program,
    tmp_path: Path,
    number: signal.Signals,
    exit_code: int,
    sentence: str,
    verify: list[str],
) -> None:
    process = sqlite_qadb.start("backup", "--compress", "gzip", *verify)
    place = tmp_path / "backups"
    until(lambda: [p for p in place.rglob("backup") if p.stat().st_size > 1e6], process)

    assert end(process, number) == (exit_code, "", f"{sentence}\n")
    assert files_in(tmp_path) == []


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Somebody who has begun to write and does not end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield
        writer.execute("ROLLBACK")


@ENDINGS
def test_restore_into_a_file_that_somebody_writes_to_leaves_it_as_it_was(
    sqlite_qadb: Program,
    sqlite_url: str,
    tmp_path: Path,
    number: signal.Signals,
    exit_code: int,
    sentence: str,
) -> None:
    with open_database(sqlite_url) as database:
        execute(database, "DELETE FROM ballast")
        backup = create_backup(database, tmp_path / "a.qadb").path
        execute(database, "DELETE FROM countries WHERE code = 'DE'")
    with written(sqlite_file(sqlite_url)):
        process = sqlite_qadb.start("restore", str(backup), "--yes")
        until(lambda: list((tmp_path / "backups").glob("*.qadb")), process)
        time.sleep(0.2)

        assert end(process, number) == (exit_code, "", f"{sentence}\n")
    assert list(tmp_path.glob(".*")) == []
    assert len(files_in(tmp_path)) == 1
    with open_database(sqlite_url) as database:
        assert fetch_rows(database, "SELECT 1 FROM countries WHERE code = 'DE'") == []


@ENDINGS
def test_backup_that_waits_for_a_lock_on_a_server_ends_at_once(
    postgresql_qadb: Program,
    postgresql_url: str,
    tmp_path: Path,
    number: signal.Signals,
    exit_code: int,
    sentence: str,
) -> None:
    """Both pg_dump and the counting beside it wait for whoever changes the table."""
    with closing(psycopg2.connect(postgresql_url)) as holder:
        holder.cursor().execute("LOCK TABLE countries")
        process = postgresql_qadb.start("backup")
        waiting = WAITING_SQL.format("backup", "wait_event_type = 'Lock'")
        until(lambda: fetch_column(postgresql_url, waiting) == ["2"], process)
        assert runs("pg_dump", process)

        assert end(process, number) == (exit_code, "", f"{sentence}\n")
        left = WAITING_SQL.format("backup", "state <> 'idle'")
        assert fetch_column(postgresql_url, left) == ["0"]
    assert files_in(tmp_path) == []


@ENDINGS
@pytest.mark.parametrize("verb", ["restore", "backup"])
def test_what_rebuilds_a_database_on_a_server_leaves_none(
    postgresql_qadb: Program,
    postgresql_url: str,
    postgresql_server: PostgresServer,
    tmp_path: Path,
    number: signal.Signals,
    exit_code: int,
    sentence: str,
    verb: str,
) -> None:
    with open_database(postgresql_url) as database:
        backup = create_backup(database, tmp_path / "a.qadb").path
    words = {"restore": [str(backup), "--yes"], "backup": ["--verify"]}
    process = postgresql_qadb.start(verb, *words[verb])
    waiting = WAITING_SQL.format(verb, "wait_event = 'PgSleep'")
    until(lambda: fetch_column(postgresql_server.admin_url, waiting) == ["1"], process)
    assert runs("pg_restore", process)

    assert end(process, number) == (exit_code, "", f"{sentence}\n")
    assert databases_beside(postgresql_url, postgresql_server) == []
    assert files_in(tmp_path) == []
    with open_database(postgresql_url) as database:
        assert fetch_rows(database, "SELECT count(*) FROM countries") == [(249,)]


@pytest.mark.parametrize("verb", ["restore", "backup"])
def test_programs_of_a_killed_process_end_with_it(
    postgresql_qadb: Program,
    postgresql_url: str,
    postgresql_server: PostgresServer,
    tmp_path: Path,
    verb: str,
) -> None:
    """The one sleeps in the server, the other waits for a lock there: neither writes meanwhile."""
    with open_database(postgresql_url) as database:
        backup = create_backup(database, tmp_path / "a.qadb").path
    words = {"restore": [str(backup), "--yes"], "backup": []}
    program = {"restore": "pg_restore", "backup": "pg_dump"}[verb]
    event = {"restore": "wait_event = 'PgSleep'", "backup": "wait_event_type = 'Lock'"}
    waiting = WAITING_SQL.format(verb, event[verb])
    with ExitStack() as stack:
        if verb == "backup":
            holder = stack.enter_context(closing(psycopg2.connect(postgresql_url)))
            holder.cursor().execute("LOCK TABLE countries")
        process = postgresql_qadb.start(verb, *words[verb])
        until(lambda: fetch_column(postgresql_server.admin_url, waiting) != ["0"], process)
        until(lambda: runs(program, process), process)
        children = psutil.Process(process.pid).children(recursive=True)

        process.kill()
        process.communicate()
        _, alive = psutil.wait_procs(children, TIDY_SECONDS)
        assert [child for child in alive if is_alive(child)] == []
    for left in databases_beside(postgresql_url, postgresql_server):
        postgresql_server.drop_database(f"{postgresql_url.rpartition('/')[0]}/{left}")
