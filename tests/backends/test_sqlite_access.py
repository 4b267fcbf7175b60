"""SQLite where rights are missing, where others read and write, and what is left behind."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import connector
from qadb.database import Database
from qadb.errors import (
    InsufficientPrivilege,
    LockNotAvailable,
    QadbError,
)
from qadb.settings import DatabaseUrl
from tests.backends.sample import ignore_holder
from tests.support.databases import execute, fetch_rows
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = "SELECT count(*) FROM t"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users can reach, with modes to be set."""
    with open_folder() as folder:
        yield folder
        folder.chmod(0o755)


def database_at(path: Path) -> Database:
    return Database(DatabaseUrl(engine="sqlite", path=path), connect_retries=0)


def make_database(path: Path, rows: int = 3) -> None:
    with database_at(path) as database:
        database.create()
        execute(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        execute(database, *["INSERT INTO t (text) VALUES ('x')"] * rows)


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def take_lock(database: Database) -> None:
    with database.exclusive(wait_seconds=0, on_wait=ignore_holder):
        pass


@contextmanager
def plain_connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Another application on the same file."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        yield connection


def test_reading_changes_no_byte_and_leaves_no_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    make_database(path)
    before = path.read_bytes()

    with database_at(path) as database:
        assert fetch_rows(database, COUNT) == [(3,)]
        assert database.exists()

    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["qa.db"]


def test_reading_leaves_the_sidecars_of_others_alone(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    make_database(path)
    with plain_connection(path) as other:
        other.execute("INSERT INTO t (text) VALUES ('new')")
        with database_at(path) as database:
            assert fetch_rows(database, COUNT) == [(4,)]

        assert names_in(tmp_path) == ["qa.db", "qa.db-shm", "qa.db-wal"]
        other.execute("INSERT INTO t (text) VALUES ('newer')")
        assert other.execute(COUNT).fetchone() == (5,)


def test_a_kept_connection_for_reading_sees_what_others_write_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    make_database(path)
    with database_at(path) as database, plain_connection(path) as other:
        assert fetch_rows(database, COUNT) == [(3,)]
        assert database.engine(read_only=True).pool.status().count("in pool: 1") == 1
        other.execute("INSERT INTO t (text) VALUES ('new')")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert fetch_rows(database, COUNT) == [(4,)]


def test_a_connection_that_takes_the_file_for_unchanging_is_not_kept(place: Path) -> None:
    path = place / "qa.db"
    make_database(path)
    place.chmod(0o555)

    with database_at(path) as database:
        with as_nobody():
            assert fetch_rows(database, COUNT) == [(3,)]
        place.chmod(0o755)
        with plain_connection(path) as other:
            other.execute("INSERT INTO t (text) VALUES ('new')")
        place.chmod(0o555)
        with as_nobody():
            assert fetch_rows(database, COUNT) == [(4,)]


def test_reading_sees_what_a_killed_writer_had_committed(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    make_database(path)
    script = (
        "import sqlite3, sys, os, signal\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('INSERT INTO t (text) VALUES (1)')\n"
        "c.execute('BEGIN'); c.execute('INSERT INTO t (text) VALUES (2)')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    log = path.with_name("qa.db-wal").read_bytes()

    with database_at(path) as database:
        assert fetch_rows(database, COUNT) == [(4,)]

    assert path.with_name("qa.db-wal").read_bytes() == log


def test_file_in_an_unwritable_folder_can_be_read_and_not_written(place: Path) -> None:
    path = place / "qa.db"
    make_database(path)
    place.chmod(0o555)

    with database_at(path) as database, as_nobody():
        assert fetch_rows(database, COUNT) == [(3,)]
        with pytest.raises(InsufficientPrivilege) as caught:
            execute(database, "INSERT INTO t (text) VALUES ('new')")

    assert str(path) in caught.value.message
    assert names_in(place) == ["qa.db"]


def test_unwritable_file_in_a_writable_folder_can_be_read_and_not_written(place: Path) -> None:
    path = place / "qa.db"
    make_database(path)
    path.chmod(0o444)
    place.chmod(0o777)

    with database_at(path) as database, as_nobody():
        assert fetch_rows(database, COUNT) == [(3,)]
        with pytest.raises(InsufficientPrivilege):
            execute(database, "INSERT INTO t (text) VALUES ('new')")


def test_log_in_an_unwritable_folder_is_read_or_refused_but_never_passed_over(
    place: Path,
) -> None:
    path = place / "qa.db"
    make_database(path)
    with plain_connection(path) as other:
        other.execute("INSERT INTO t (text) VALUES ('in the log alone')")
        place.chmod(0o555)
        with database_at(path) as database, as_nobody():
            assert fetch_rows(database, COUNT) == [(4,)]
        place.chmod(0o755)
        copy = place / "copy"
        copy.mkdir()
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", copy / f"qa.db{end}")
        copy.chmod(0o555)

        with database_at(copy / "qa.db") as database, as_nobody():
            try:
                rows = fetch_rows(database, COUNT)
            except InsufficientPrivilege:
                rows = [(4,)]
        copy.chmod(0o755)

    assert rows == [(4,)]


def test_half_written_pages_in_an_unwritable_folder_are_never_read(place: Path) -> None:
    path = place / "qa.db"
    with plain_connection(path) as writer:  # a rollback journal, and pages spilt into the file
        writer.execute("CREATE TABLE t (text)")
        writer.execute("INSERT INTO t VALUES ('whole')")
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.executemany("INSERT INTO t VALUES (?)", [("half" * 500,)] * 500)
        copy = place / "copy"
        copy.mkdir()
        for end in ("", "-journal"):
            shutil.copy(f"{path}{end}", copy / f"qa.db{end}")
        writer.execute("ROLLBACK")
    copy.chmod(0o555)

    with database_at(copy / "qa.db") as database, as_nobody(), pytest.raises(QadbError):
        fetch_rows(database, COUNT)
    copy.chmod(0o755)


def test_busy_file_in_an_unwritable_folder_is_not_read_past_its_lock(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "BUSY_TIMEOUT_SECONDS", 0.05)
    path = place / "qa.db"
    with plain_connection(path) as writer:
        writer.execute("CREATE TABLE t (text)")
        writer.execute("BEGIN EXCLUSIVE")
        place.chmod(0o555)
        with database_at(path) as database, as_nobody(), pytest.raises(LockNotAvailable):
            fetch_rows(database, COUNT)


def test_folder_that_can_not_be_entered_is_no_missing_file(place: Path) -> None:
    inner = place / "closed"
    make_database(inner / "qa.db")
    inner.chmod(0o000)

    with database_at(inner / "qa.db") as database, as_nobody():
        for use in (database.exists, database.create, lambda: fetch_rows(database, COUNT)):
            with pytest.raises(InsufficientPrivilege, match="can't be"):
                use()
    inner.chmod(0o755)


def test_file_that_can_not_be_read_says_so(place: Path) -> None:
    path = place / "qa.db"
    make_database(path)
    path.chmod(0o000)

    with database_at(path) as database, as_nobody():
        assert database.exists()
        with pytest.raises(InsufficientPrivilege, match="can't be opened"):
            fetch_rows(database, COUNT)


def test_create_in_an_unwritable_folder_makes_nothing(place: Path) -> None:
    place.chmod(0o555)
    with as_nobody():
        for path in (place / "qa.db", place / "new" / "qa.db"):
            with database_at(path) as database, pytest.raises(InsufficientPrivilege) as caught:
                database.create()
            assert caught.value.hint

    assert names_in(place) == []


def test_lock_file_of_somebody_else_can_still_be_locked(place: Path) -> None:
    path = place / "qa.db"
    make_database(path)
    lock = place / "qa.db.lock"
    lock.touch(mode=0o644)
    with database_at(path) as database:
        with (
            as_nobody(),
            database.exclusive(wait_seconds=0, on_wait=ignore_holder),
            database_at(path) as other,
            pytest.raises(LockNotAvailable),
        ):
            take_lock(other)
        lock.chmod(0o600)
        with as_nobody(), pytest.raises(InsufficientPrivilege, match="lock"):
            take_lock(database)
