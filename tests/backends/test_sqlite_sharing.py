"""SQLite among several: writers that wait, locks, full disks, revisions that rebuild tables."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import connector
from qadb.database import Database
from qadb.errors import (
    DatabaseFailure,
    LockNotAvailable,
    QadbError,
    StorageFull,
)
from qadb.settings import DatabaseUrl
from tests.backends.sample import ignore_holder
from tests.support.databases import execute, fetch_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = "SELECT count(*) FROM t"


def database_at(path: Path) -> Database:
    return Database(DatabaseUrl(engine="sqlite", path=path), connect_retries=0)


def make_database(path: Path, rows: int = 3) -> None:
    with database_at(path) as database:
        database.create()
        execute(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        execute(database, *["INSERT INTO t (text) VALUES ('x')"] * rows)


def take_lock(database: Database) -> None:
    with database.exclusive(wait_seconds=0, on_wait=ignore_holder):
        pass


@contextmanager
def plain_connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Another application on the same file."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        yield connection


def test_no_log_is_left_when_a_reader_came_before_the_writer(tmp_path: Path) -> None:
    make_database(tmp_path / "qa.db", rows=1)
    with database_at(tmp_path / "qa.db") as database:
        assert fetch_rows(database, COUNT) == [(1,)]
        execute(database, "INSERT INTO t (text) VALUES ('y')")
        assert fetch_rows(database, COUNT) == [(2,)]
    assert [file.name for file in tmp_path.iterdir()] == ["qa.db"]
    with database_at(tmp_path / "qa.db") as database:
        assert fetch_rows(database, COUNT) == [(2,)]
        with database.migrating(lock_timeout_seconds=1) as connection:
            connection.exec_driver_sql("INSERT INTO t (text) VALUES ('z')")
    assert [file.name for file in tmp_path.iterdir()] == ["qa.db"]


def test_lock_in_a_missing_folder_fails_in_our_words(tmp_path: Path) -> None:
    with database_at(tmp_path / "no" / "qa.db") as database, pytest.raises(QadbError, match="lock"):
        take_lock(database)


def test_full_disk_does_not_keep_an_operation_from_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qadb.backends.sqlite.locks.os.pwrite", no_room)
    with (
        database_at(tmp_path / "qa.db") as database,
        database.exclusive(wait_seconds=0, on_wait=ignore_holder),
        database_at(tmp_path / "qa.db") as other,
        pytest.raises(LockNotAvailable, match="unnamed"),
    ):
        take_lock(other)


def test_file_system_without_locks_fails_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("qadb.backends.sqlite.locks.fcntl.flock", no_locks)
    with database_at(tmp_path / "qa.db") as database, pytest.raises(DatabaseFailure, match="locks"):
        take_lock(database)


def fill(database: Database) -> None:
    """Write more than there is room for."""
    with database.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        query = "SELECT hex(randomblob(3000)) FROM t, t AS a, t AS b"
        connection.exec_driver_sql(f"INSERT INTO t (text) {query}")


def test_disk_that_is_full_rolls_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    make_database(path)
    with database_at(path) as database:
        with pytest.raises(StorageFull) as caught:
            fill(database)

        assert str(path) in caught.value.message
        assert fetch_rows(database, COUNT) == [(3,)]


def test_two_writers_wait_for_each_other_instead_of_failing(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    make_database(path, rows=1)
    failures: list[Exception] = []

    def count_up() -> None:
        try:
            with database_at(path) as mine:
                for _ in range(20):
                    with mine.connect() as connection:  # reads first, then writes what it read
                        (count,) = connection.exec_driver_sql(COUNT).one()
                        connection.exec_driver_sql("INSERT INTO t (id) VALUES (?)", (count + 1,))
        except Exception as error:  # noqa: BLE001 - to show it in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database_at(path) as database:
        assert (failures, fetch_rows(database, COUNT)) == ([], [(61,)])


def test_writer_that_waits_too_long_fails_as_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "BUSY_TIMEOUT_SECONDS", 0.05)
    path = tmp_path / "qa.db"
    make_database(path)
    with plain_connection(path) as other, database_at(path) as database:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockNotAvailable, match="locked"):
            execute(database, "INSERT INTO t (text) VALUES ('late')")
        assert fetch_rows(database, COUNT) == [(3,)]


def test_migration_that_orphans_rows_is_rolled_back(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    make_database(path)
    with database_at(path) as database:
        execute(
            database,
            "CREATE TABLE child (t_id INTEGER REFERENCES t ON DELETE CASCADE)",
            "INSERT INTO child VALUES (1)",
        )
        with database.migrating(lock_timeout_seconds=1) as connection:  # rebuilds the parent
            connection.exec_driver_sql("CREATE TABLE new (id INTEGER PRIMARY KEY, text TEXT)")
            connection.exec_driver_sql("INSERT INTO new SELECT * FROM t")
            connection.exec_driver_sql("DROP TABLE t")
            connection.exec_driver_sql("ALTER TABLE new RENAME TO t")
        assert fetch_rows(database, "SELECT count(*) FROM child") == [(1,)]

        with (
            pytest.raises(QadbError, match="child row 1 -> t"),
            database.migrating(lock_timeout_seconds=1) as connection,
        ):
            connection.exec_driver_sql("DELETE FROM t")
        assert fetch_rows(database, COUNT) == [(3,)]


def test_user_without_a_name_goes_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("qadb.backends.sqlite.connector.getpass.getuser", nameless)
    make_database(tmp_path / "qa.db")
    with database_at(tmp_path / "qa.db") as database, database.connect() as connection:
        assert database.backend.connector.user_name(connection) == str(os.getuid())


def test_memory_is_one_database_for_all_of_its_connections() -> None:
    with Database(DatabaseUrl(engine="sqlite", is_memory=True)) as database:
        assert database.exists()
        assert not database.create()
        execute(database, "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (1)")
        with database.migrating(lock_timeout_seconds=1) as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        assert fetch_rows(database, "SELECT count(*) FROM t") == [(2,)]
        with database.exclusive(wait_seconds=0, on_wait=ignore_holder):
            pass
