"""Killed at any moment, a backup leaves all older ones, and a restore one whole database."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import tempfile
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql.dumping import large_tables
from qadb.backups.archive import ArchiveReader
from qadb.backups.folder import list_backups
from qadb.operations.backup import create_backup
from qadb.operations.init import init_database
from qadb.revisions.state import read_state
from tests.operations.crash_child import back_up, put_back
from tests.operations.sqlite.scene import set_journal_mode
from tests.operations.worker import KILLS, moments
from tests.support.databases import execute, fetch_rows, open_database, sqlite_file
from tests.support.postgres_client import fetch_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qadb.database import Database
    from tests.operations.worker import Worker
    from tests.support.postgres_server import PostgresServer

logger = logging.getLogger(__name__)

KILLS_BEFORE_THE_NEXT = 3
MARGIN = 0.9  # of the work's duration: later runs may be faster still

# What a backup is made of on a server takes seconds by the number of tables alone.
FEW_TABLES = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
        AND tablename NOT LIKE 'qadb%' AND tablename <> 'countries'
    LOOP EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', name); END LOOP;
END $$
"""
OLD, NEW = "SELECT 1 FROM countries WHERE code = 'QO'", "SELECT 1 FROM countries WHERE code = 'QN'"
ADD = "INSERT INTO countries (code, name) VALUES ('{}', 'Atlantis')"

BACKUP_STEPS = [
    "publishing:1",
    "marking:1",
    "renaming:1",
    "backup-recording:1",
    "removing:1",
    "unlinking:2",
]
STATEMENTS_TO_COMMIT, STATEMENTS = 13, 15  # that a restore has SQLite's shell run
RESTORE_STEPS = {
    "sqlite": [
        "checking:1",
        "saving:1",
        "publishing:1",
        *(f"sqlite-writing:{statement}" for statement in range(1, STATEMENTS + 1)),
        "restore-recording:1",
    ],
    "postgresql": [
        "checking:1",
        "postgresql-swap:1",
        "postgresql-renaming:2",
        "restore-recording:1",
    ],
}
STEPS_AFTER = {"sqlite": 1 + STATEMENTS - STATEMENTS_TO_COMMIT, "postgresql": 1}


@pytest.fixture
def database(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database that holds the country QO; on a server every table of it counts as large."""
    monkeypatch.setattr(large_tables, "LARGE_BYTES", 1)
    with open_database(migrated_url) as database:
        if database.url.engine == "postgresql":
            execute(database, FEW_TABLES)
        execute(database, ADD.format("QO"))
        yield database


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for backups; the system's temporary folder is another one beside it."""
    for name in ("backups", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is remembered from the first use on
    return tmp_path / "backups"


def require_nothing_left(place: Path, url: str, server: PostgresServer | None) -> None:
    """Neither files nor databases of what was killed are there."""
    assert [p.name for p in place.iterdir() if not p.name.endswith((".qadb", ".verified"))] == []
    notes = {p.name.removesuffix(".verified") for p in place.glob("*.verified")}
    assert notes <= {p.name for p in place.glob("*.qadb")}
    assert list((place.parent / "tmp").iterdir()) == []
    assert not list(place.parent.glob(".*"))
    if server is not None:
        name = url.rpartition("/")[2]
        found = fetch_column(server.admin_url, "SELECT datname FROM pg_database")
        assert [each for each in found if each.startswith(f"{name}_qadb_")] == []


def require_whole(url: str, server: PostgresServer | None) -> None:
    if server is None:
        with closing(sqlite3.connect(sqlite_file(url))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def require_older_kept(database: Database, place: Path, older: list[Path]) -> None:
    """Every backup that has a name is whole, and the former are there but for a proven new one."""
    backups = list_backups(place)
    for backup in backups:
        with ArchiveReader(backup.path) as archive:
            archive.check_seal()
    new = [each for each in backups if each.path not in older]
    if not (new and new[0].verified_at):
        assert set(older) <= {each.path for each in backups}
    assert len(backups) >= 2
    assert fetch_rows(database, OLD)


def age(place: Path) -> None:
    """Make it a while ago: a folder without its lock is taken for just begun for a minute."""
    for folder in [*place.glob(".*"), *place.parent.glob(".*"), *(place.parent / "tmp").glob("*")]:
        a_while_ago = time.time() - 100
        os.utime(folder, (a_while_ago, a_while_ago))


def let_statements_end(url: str, server: PostgresServer | None) -> None:
    """Wait for what the killed had begun: a CREATE DATABASE goes on without who wanted it."""
    if server is None:
        return
    name = url.rpartition("/")[2]
    begun = (
        "SELECT pid FROM pg_stat_activity WHERE state = 'active' "
        f"AND query LIKE 'CREATE DATABASE%{name}_qadb_%' "
        "UNION SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
    )
    while fetch_column(server.admin_url, begun):
        time.sleep(0.02)


def duration(worker: Worker, operation: str, *words: str) -> float:
    """How many seconds to spread the kills over."""
    return min(worker.time(operation, *words) for _ in range(2)) * MARGIN


def killed(
    worker: Worker, operation: str, words: tuple[str, str], steps: Sequence[str], seconds: float
) -> Iterator[bool]:
    """Kill an operation over and over; yields after each whether it is time for a whole one.

    It has to remove what several have left.
    """
    outcomes = []
    kills: list[float | str] = [*moments(seconds, KILLS), *steps]
    for number, kill in enumerate(kills, 1):
        if isinstance(kill, str):
            outcomes.append(worker.run(f"{operation}@{kill}", *words))
        else:
            outcomes.append(worker.run(operation, *words, kill_after_seconds=kill))
        yield number % KILLS_BEFORE_THE_NEXT == 0 or number == len(kills)
    hits = outcomes.count(-signal.SIGKILL)
    logger.info("%s: %d of %d kills hit", operation, hits, len(outcomes))
    assert set(outcomes) <= {0, -signal.SIGKILL}
    assert hits >= len(outcomes) / 2
    assert outcomes[-len(steps) :] == [-signal.SIGKILL] * len(steps)


def test_killed_backup_leaves_the_older_ones_and_the_next_succeeds(
    worker: Worker,
    database: Database,
    migrated_url: str,
    database_server: PostgresServer | None,
    place: Path,
) -> None:
    for _ in range(2):
        create_backup(database, place)
    database.close()
    words = (migrated_url, str(place))
    seconds = duration(worker, "backup", *words)
    older = paths_in(place)
    for is_time in killed(worker, "backup", words, BACKUP_STEPS, seconds):
        require_older_kept(database, place, older)
        require_whole(migrated_url, database_server)
        if is_time:
            age(place)
            let_statements_end(migrated_url, database_server)
            back_up(database, place)
            require_nothing_left(place, migrated_url, database_server)
            assert len(paths_in(place)) == 2
        older = paths_in(place)
        database.close()


def test_killed_restore_leaves_the_former_or_the_new_and_the_next_succeeds(
    worker: Worker,
    database: Database,
    migrated_url: str,
    database_server: PostgresServer | None,
    place: Path,
) -> None:
    engine = database.url.engine
    found = kill_restores(
        worker, database, migrated_url, database_server, place, RESTORE_STEPS[engine]
    )
    steps, after = len(RESTORE_STEPS[engine]), STEPS_AFTER[engine]
    assert found[-steps:] == ["former"] * (steps - after) + ["new"] * after


def test_killed_restore_of_a_file_without_a_log_is_no_different(
    worker: Worker, sqlite_url: str, place: Path
) -> None:
    """All of its pages are copied."""
    with open_database(sqlite_url) as database:
        init_database(database)
        execute(database, ADD.format("QO"))
        set_journal_mode(database, sqlite_file(sqlite_url), "delete")
        steps = ["sqlite-copying:1", "restore-recording:1"]
        found = kill_restores(worker, database, sqlite_url, None, place, steps)
    assert found[-2:] == ["former", "new"]


def kill_restores(
    worker: Worker,
    database: Database,
    url: str,
    server: PostgresServer | None,
    place: Path,
    steps: Sequence[str],
) -> list[str]:
    """Kill restores at many points; returns which database was there after each."""
    backup = create_backup(database, place).path
    database.close()
    words = (url, str(backup))
    seconds = duration(worker, "restore", *words)
    execute(database, ADD.format("QN"))
    database.close()
    found = []
    for is_time in killed(worker, "restore", words, steps, seconds):
        assert read_state(database).state == "current"
        require_whole(url, server)
        assert fetch_rows(database, OLD)
        found.append("former" if fetch_rows(database, NEW) else "new")
        if is_time:
            age(place)
            let_statements_end(url, server)
            put_back(database, backup)
            assert not fetch_rows(database, NEW)
            require_nothing_left(place, url, server)
            drop_former(url, server)
        if not fetch_rows(database, NEW):
            execute(database, ADD.format("QN"))
        database.close()
    logger.info("%d former, %d new", found.count("former"), found.count("new"))
    return found


def paths_in(place: Path) -> list[Path]:
    return [backup.path for backup in list_backups(place)]


def drop_former(url: str, server: PostgresServer | None) -> None:
    """Databases that restores have set aside are many by now."""
    if server is None:
        return
    name = url.rpartition("/")[2]
    for each in fetch_column(server.admin_url, "SELECT datname FROM pg_database"):
        if each.startswith(f"{name}_before_"):
            server.drop_database(url.replace(name, each))
