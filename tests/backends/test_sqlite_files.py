"""SQLite's file: made right, found under any name, refused when it is something else."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from qadb.database import Database
from qadb.errors import (
    DatabaseAbsent,
    DatabaseFailure,
    InsufficientPrivilege,
    NotADatabase,
    QadbError,
)
from qadb.settings import DatabaseUrl
from tests.backends.sample import ignore_holder
from tests.support.databases import execute, fetch_rows, open_database

if TYPE_CHECKING:
    from pathlib import Path


def database_at(path: Path) -> Database:
    return Database(DatabaseUrl(engine="sqlite", path=path), connect_retries=0)


def make_database(path: Path, rows: int = 1) -> None:
    """A file with a table in it, its log already written back."""
    with database_at(path) as database:
        database.create()
        execute(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        with database.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 500,)] * rows)
            cursor.close()


def names_beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def read_pragmas(database: Database, *names: str, read_only: bool = False) -> list[object]:
    with database.connect(read_only=read_only) as connection:
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]


def test_created_file_is_in_wal_and_vacuums_by_increments(sqlite_url: str) -> None:
    with open_database(sqlite_url) as database:
        database.create()
        execute(database, "CREATE TABLE t (id INTEGER)")

        pragmas = ("journal_mode", "auto_vacuum", "synchronous", "foreign_keys", "busy_timeout")
        assert read_pragmas(database, *pragmas) == ["wal", 2, 2, 1, 30_000]
        assert read_pragmas(database, *pragmas, read_only=True) == ["wal", 2, 2, 1, 30_000]


def test_every_connection_checks_foreign_keys(sqlite_url: str) -> None:
    with open_database(sqlite_url) as database:
        database.create()
        execute(
            database,
            "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
            "CREATE TABLE child (parent_id INTEGER REFERENCES parent)",
        )
        for _ in range(2):
            with pytest.raises(QadbError, match="FOREIGN KEY"):
                execute(database, "INSERT INTO child VALUES (1)")


@pytest.mark.parametrize(
    "name",
    [
        "with spaces.db",
        "100%.db",
        "%41%zz.db",
        "what?mode=memory.db",
        "tag#1.db",
        "a&b=c;d.db",
        "ünï-日本-👍.db",
        "quo'te\".db",
        "back\\slash.db",
        "line\nfeed.db",
        b"not-utf8-\xff.db".decode("utf-8", "surrogateescape"),
        ":memory:",
        "-wal",
    ],
)
def test_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"folder {name}" / name

    make_database(path)

    assert names_beside(path) == [name]
    with database_at(path) as database:
        assert database.exists()
        assert not database.create()
        assert fetch_rows(database, "SELECT count(*) FROM t") == [(1,)]
        with database.exclusive(wait_seconds=0, on_wait=ignore_holder):
            pass


def test_path_with_two_leading_slashes_is_a_path(tmp_path: Path) -> None:
    path = type(tmp_path)(f"/{tmp_path}/qa.db")
    assert str(path).startswith("//")

    make_database(path)

    assert names_beside(tmp_path / "qa.db") == ["qa.db"]


def test_link_and_target_are_one_database_with_one_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    make_database(tmp_path / "real" / "qa.db")
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real" / "qa.db")

    with database_at(link) as first, database_at(tmp_path / "real" / "qa.db") as second:
        assert fetch_rows(first, "SELECT count(*) FROM t") == [(1,)]
        with (
            first.exclusive(wait_seconds=0, on_wait=ignore_holder),
            pytest.raises(QadbError, match="pid"),
            second.exclusive(wait_seconds=0, on_wait=ignore_holder),
        ):
            pytest.fail("two hold the lock")

    assert names_beside(link) == ["link.db", "real"]
    assert names_beside(tmp_path / "real" / "qa.db") == ["qa.db", "qa.db.lock"]


def test_links_that_go_round_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(tmp_path / "b.db")
    (tmp_path / "b.db").symlink_to(tmp_path / "a.db")

    with database_at(tmp_path / "a.db") as database, pytest.raises(QadbError, match="circle"):
        database.exists()


def test_reading_an_absent_file_makes_neither_file_nor_folder(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "qa.db"
    with database_at(path) as database:
        assert not database.exists()
        for read_only in (True, False):
            with (
                pytest.raises(DatabaseAbsent, match=r"qa\.db"),
                database.connect(read_only=read_only),
            ):
                pass

    assert list(tmp_path.iterdir()) == []


def test_create_makes_missing_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "qa.db"
    with database_at(path) as database:
        assert database.create()
    assert names_beside(path) == ["qa.db"]


def test_create_below_a_file_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")

    with (
        database_at(tmp_path / "a" / "b" / "qa.db") as database,
        pytest.raises(InsufficientPrivilege, match=str(tmp_path / "a" / "b")),
    ):
        database.create()


def test_name_that_is_too_long_fails_in_our_words(tmp_path: Path) -> None:
    with database_at(tmp_path / ("x" * 300)) as database, pytest.raises(QadbError, match="long"):
        database.exists()


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_file_that_sqlite_calls_empty_can_be_taken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "qa.db"
    path.write_bytes(content)
    with database_at(path) as database:
        with database.connect(read_only=True) as connection:
            assert database.backend.connector.list_tables(connection) == frozenset()
        assert path.read_bytes() == content

        assert not database.create()

        assert read_pragmas(database, "journal_mode", "auto_vacuum") == ["wal", 2]


@pytest.mark.parametrize(
    "content",
    [b"ab", b"hello world\n", b"<testsuites/>\n" * 3000, b"\0" * 100, b"\xff" * 70_000],
    ids=["two letters", "short text", "long text", "zeros", "noise"],
)
def test_file_of_something_else_is_no_database_and_stays_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "qa.db"
    path.write_bytes(content)

    with database_at(path) as database:
        assert database.exists()
        assert not database.create()
        for read_only in (True, False):
            with pytest.raises(NotADatabase) as caught, database.connect(read_only=read_only):
                pass
            assert str(path) in caught.value.message
            assert caught.value.hint

    assert path.read_bytes() == content
    assert names_beside(path) == ["qa.db"]


def test_folder_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    path.mkdir()

    with database_at(path) as database:
        assert not database.create()
        with pytest.raises(NotADatabase, match="is a folder"), database.connect():
            pass


@pytest.mark.parametrize("kept", [0.001, 0.1, 0.5, 0.9])
def test_truncated_file_fails_in_our_words(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "qa.db"
    make_database(path, rows=2000)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])

    with database_at(path) as database, pytest.raises(NotADatabase) as caught:
        fetch_rows(database, "SELECT sum(length(text)) FROM t")

    assert str(path) in caught.value.message


@pytest.mark.parametrize("start", range(0, 900, 100))
@pytest.mark.parametrize("read_only", [True, False])
def test_smashed_file_never_shows_a_drivers_exception(
    tmp_path: Path, start: int, read_only: bool
) -> None:
    path = tmp_path / "qa.db"
    make_database(path, rows=50)
    content = bytearray(path.read_bytes())
    for place in range(start, len(content), 900):
        content[place : place + 60] = b"\xa5" * len(content[place : place + 60])
    path.write_bytes(content)

    with database_at(path) as database, suppress(NotADatabase, DatabaseFailure):
        with database.connect(read_only=read_only) as connection:
            database.backend.connector.list_tables(connection)
            database.backend.sizes.table_sizes(connection, ("t",), exact=True)
            connection.exec_driver_sql("SELECT * FROM t").all()
            connection.exec_driver_sql("PRAGMA integrity_check").all()
        assert start > 100, "with its header smashed it can't be read"


def test_another_applications_mark_is_foreign(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 252006675")  # GeoPackage's is another; any is
        connection.execute("CREATE TABLE t (id INTEGER)")

    with database_at(path) as database, database.connect(read_only=True) as opened:
        assert database.backend.connector.is_marked_as_foreign(opened, database.schema)


def test_own_mark_stands_in_the_files_header(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"
    with database_at(path) as database:
        database.create()
        with database.connect() as connection:
            database.backend.connector.mark_as_own(connection, database.schema)

    assert path.read_bytes()[68:72] == b"qadb"


def test_creating_at_the_same_time_makes_one_good_file(tmp_path: Path) -> None:
    path = tmp_path / "qa.db"

    def create(_: int) -> None:
        with database_at(path) as database:
            database.create()
            execute(database, "CREATE TABLE IF NOT EXISTS t (id INTEGER)")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(create, range(6)))

    with database_at(path) as database:
        assert read_pragmas(database, "journal_mode", "auto_vacuum") == ["wal", 2]
