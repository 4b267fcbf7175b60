"""init on every kind of place: what it makes, and what it leaves alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.errors import QadbError, RevisionMismatch, UnmanagedDatabase
from qadb.operations.init import init_database
from qadb.revisions.state import read_state
from tests.operations.foreign import fill_with_foreign_tables, stand_at
from tests.revisions.running import go_up
from tests.support.databases import dump, fetch_rows, open_database, sqlite_file
from tests.support.revisions import AFTER_HEAD, BEFORE_HEAD, HEAD, REVISIONS

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer


def test_init_makes_all_tables_and_reference_data_in_an_empty_place(empty: Database) -> None:
    result = init_database(empty)

    assert (result.from_revision, result.to_revision) == (None, HEAD)
    assert [step.revision for step in result.applied] == [*REVISIONS]
    assert all(step.elapsed_seconds > 0 and step.title for step in result.applied)
    assert read_state(empty).state == "current"
    assert fetch_rows(empty, "SELECT id FROM tenants") == [("default",)]


def test_init_makes_folders_and_file_under_odd_names(tmp_path: Path) -> None:
    folder = tmp_path / "a folder" / "dëep %41"
    with open_database(f"sqlite:///{folder}/q#a?.sqlite3".replace("?", "_")) as database:
        result = init_database(database)

    assert result.created
    assert {path.name for path in folder.iterdir()} == {"q#a_.sqlite3", "q#a_.sqlite3.lock"}


def test_init_creates_a_database_on_the_server(postgresql_server: PostgresServer) -> None:
    url = postgresql_server.create_database()
    postgresql_server.drop_database(url)
    try:
        with open_database(url) as database:
            assert init_database(database).created
            assert read_state(database).state == "current"
    finally:
        postgresql_server.drop_database(url)


def test_init_takes_a_file_of_no_bytes_for_an_empty_database(sqlite_url: str) -> None:
    sqlite_file(sqlite_url).touch()
    with open_database(sqlite_url) as database:
        result = init_database(database)

        assert not result.created
        assert fetch_rows(database, "PRAGMA journal_mode") == [("wal",)]
        assert fetch_rows(database, "PRAGMA auto_vacuum") == [(2,)]


def test_init_run_again_says_so_and_changes_nothing(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    before = dump(migrated_url, database_server)

    result = init_database(migrated)

    assert (result.created, result.applied) == (False, ())
    assert result.from_revision == result.to_revision == read_state(migrated).head
    assert dump(migrated_url, database_server) == before


def test_init_goes_on_from_where_an_earlier_one_stopped(empty: Database) -> None:
    empty.create()
    go_up(empty, "002")

    result = init_database(empty)

    assert (result.created, result.from_revision, result.to_revision) == (False, "002", HEAD)
    assert [step.revision for step in result.applied] == [*REVISIONS[2:]]
    assert read_state(empty).state == "current"


def test_init_leaves_a_foreign_database_alone(
    empty: Database, database_url: str, database_server: PostgresServer | None
) -> None:
    fill_with_foreign_tables(empty)
    before = dump(database_url, database_server)

    with pytest.raises(UnmanagedDatabase) as caught:
        init_database(empty)

    assert "--adopt" in (caught.value.hint or "")
    assert dump(database_url, database_server) == before


def test_init_leaves_an_empty_file_of_another_application_alone(sqlite_url: str) -> None:
    with closing(sqlite3.connect(sqlite_file(sqlite_url))) as connection:
        connection.execute("PRAGMA application_id = 252006674")
    before = sqlite_file(sqlite_url).read_bytes()

    with open_database(sqlite_url) as database, pytest.raises(UnmanagedDatabase):
        init_database(database)

    assert sqlite_file(sqlite_url).read_bytes() == before


@pytest.mark.parametrize(
    ("revisions", "words"),
    [
        ([AFTER_HEAD], "upgrade"),
        (["side_branch"], "another build"),
        ([BEFORE_HEAD, HEAD], "another build"),
    ],
)
def test_init_refuses_a_database_that_another_qadb_migrated(
    migrated: Database,
    migrated_url: str,
    database_server: PostgresServer | None,
    revisions: list[str],
    words: str,
) -> None:
    stand_at(migrated, *revisions)
    before = dump(migrated_url, database_server)

    with pytest.raises(RevisionMismatch) as caught:
        init_database(migrated)

    assert ", ".join(revisions) in caught.value.message
    assert words in (caught.value.hint or "").lower()
    assert dump(migrated_url, database_server) == before


def test_init_leaves_no_file_where_it_may_not_work(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("no database\n" * 100)
    before = (tmp_path / "report.txt").read_bytes()

    with (
        open_database(f"sqlite:///{tmp_path / 'report.txt'}") as database,
        pytest.raises(QadbError) as caught,
    ):
        init_database(database)

    assert caught.value.code == "not_a_database"
    assert [path.name for path in tmp_path.iterdir()] == ["report.txt"]
    assert (tmp_path / "report.txt").read_bytes() == before
