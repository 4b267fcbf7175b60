"""status: what it knows of every kind of database, and that it never writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql import connector
from qadb.errors import DatabaseUnreachable
from qadb.operations.init import init_database
from qadb.operations.rollback import plan_rollback, rollback
from qadb.operations.status import read_status
from tests.operations.foreign import fill_with_foreign_tables, stand_at
from tests.support.databases import dump, open_database
from tests.support.postgres_client import execute
from tests.support.revisions import AFTER_HEAD, HEAD, REVISIONS
from tests.support.roles import ordinary_role
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from qadb.settings import DatabaseUrl
    from tests.support.postgres_server import PostgresServer


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_status_of_a_current_database_is_complete(migrated: Database) -> None:
    status = read_status(migrated)

    assert status.is_current
    assert (status.database.revision, status.database.head) == (HEAD, HEAD)
    assert status.database.pending == ()
    assert status.size_bytes is not None
    assert status.size_bytes > 100_000
    assert [(step.revision, step.direction) for step in status.history] == [
        (revision, "up") for revision in REVISIONS
    ]


def test_status_shows_the_way_back_in_the_history(migrated: Database) -> None:
    rollback(migrated, plan_rollback(migrated))

    status = read_status(migrated)

    assert not status.is_current
    assert status.database.state == "behind"
    assert (status.history[-1].revision, status.history[-1].direction) == (HEAD, "down")


@pytest.mark.parametrize(("revision", "state"), [(AFTER_HEAD, "ahead"), ("other", "forked")])
def test_status_knows_a_database_of_another_qadb(
    migrated: Database, revision: str, state: str
) -> None:
    stand_at(migrated, revision)

    status = read_status(migrated)

    assert (status.database.state, status.database.revision) == (state, revision)
    assert not status.is_current
    assert len(status.history) == len(REVISIONS)


def test_status_of_an_absent_file_creates_nothing(tmp_path: Path) -> None:
    with open_database(f"sqlite:///{tmp_path / 'data' / 'qa.sqlite3'}") as database:
        status = read_status(database)

    assert (status.database.state, status.size_bytes, status.history) == ("absent", None, ())
    assert list(tmp_path.iterdir()) == []


def test_status_of_an_absent_server_database_creates_nothing(
    postgresql_server: PostgresServer,
) -> None:
    url = postgresql_server.create_database()
    postgresql_server.drop_database(url)

    for _ in range(2):
        with open_database(url) as database:
            assert read_status(database).database.state == "absent"


def test_status_of_an_empty_database(empty: Database) -> None:
    empty.create()

    assert read_status(empty).database.state == "empty"


def test_status_of_a_foreign_database_writes_nothing(
    empty: Database, database_url: str, database_server: PostgresServer | None
) -> None:
    fill_with_foreign_tables(empty)
    before = dump(database_url, database_server)

    status = read_status(empty)

    assert (status.database.state, status.database.pending) == ("unmanaged", ())
    assert dump(database_url, database_server) == before


def test_status_changes_no_byte_of_a_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with open_database(f"sqlite:///{folder / 'qa.sqlite3'}") as database:
        database.create()
        before = listing(folder)
        assert read_status(database).database.state == "empty"
        database.close()
        assert listing(folder) == before
        init_database(database)
    before = listing(folder)

    with open_database(f"sqlite:///{folder / 'qa.sqlite3'}") as database:
        assert read_status(database).is_current

    assert listing(folder) == before


def test_status_reads_a_file_in_a_folder_that_it_may_not_write() -> None:
    with open_folder() as place, open_database(f"sqlite:///{place / 'qa.sqlite3'}") as database:
        init_database(database)
        database.close()
        (place / "qa.sqlite3").chmod(0o444)
        place.chmod(0o555)
        before = listing(place)

        with as_nobody():
            assert read_status(database).is_current
            database.close()

        place.chmod(0o755)
        assert listing(place) == before


def test_status_needs_no_right_but_to_read(postgresql_url: str) -> None:
    with open_database(postgresql_url) as database:
        init_database(database)
    with ordinary_role(postgresql_url) as role:
        execute(postgresql_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        execute(postgresql_url, "GRANT SELECT ON qadb_version, qadb_history TO {}", role.name)
        execute(postgresql_url, "ALTER ROLE {} SET default_transaction_read_only = on", role.name)

        with open_database(role.url(postgresql_url)) as database:
            status = read_status(database)

    assert status.is_current
    assert len(status.history) == len(REVISIONS)
    assert status.size_bytes


def test_status_waits_for_a_server_that_is_coming_up(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_database(postgresql_url) as database:
        genuine = connector._connect
        refusals = [psycopg2.OperationalError("the database system is starting up")] * 4

        def coming_up(url: DatabaseUrl) -> psycopg2.extensions.connection:
            if refusals:
                raise refusals.pop()
            return genuine(url)

        monkeypatch.setattr(connector, "_connect", coming_up)
        monkeypatch.setattr("qadb.retries.time.sleep", lambda _: None)

        with pytest.raises(DatabaseUnreachable):
            read_status(database)
        assert read_status(database, wait_seconds=30).database.state == "empty"


def test_status_waits_no_longer_than_it_was_told() -> None:
    with (
        open_database("postgresql://qa@127.0.0.1:1/qa") as database,
        pytest.raises(DatabaseUnreachable),
    ):
        read_status(database, wait_seconds=0.3)


def test_server_that_is_gone_is_not_tried_all_over_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[DatabaseUrl] = []
    genuine = connector._connect

    def count(url: DatabaseUrl) -> psycopg2.extensions.connection:
        tried.append(url)
        return genuine(url)

    monkeypatch.setattr(connector, "_connect", count)
    monkeypatch.setattr("qadb.retries.time.sleep", lambda _: None)
    with (
        open_database("postgresql://qa@127.0.0.1:1/qa", connect_retries=3) as database,
        pytest.raises(DatabaseUnreachable),
    ):
        read_status(database)

    assert len(tried) == 1 + 3 + 1  # at last once more, whether the database is there
