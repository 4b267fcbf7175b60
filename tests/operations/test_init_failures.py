"""init where something is in its way: one clear error, and nothing left half-made."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import connector
from qadb.errors import (
    AuthenticationFailed,
    DatabaseUnreachable,
    InsufficientPrivilege,
    NotADatabase,
    StorageFull,
)
from qadb.operations.init import init_database
from qadb.operations.migrate import migrate
from qadb.operations.rollback import plan_rollback, rollback
from qadb.revisions.state import read_state
from tests.support.databases import fetch_rows, open_database, with_login
from tests.support.postgres_client import execute, fetch_column
from tests.support.revisions import HEAD
from tests.support.roles import ordinary_role
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from tests.support.postgres_server import PostgresServer

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


def free_port() -> int:
    """A port where nobody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def count_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make pauses between attempts to connect short, and remember how long they would be."""
    pauses: list[float] = []
    monkeypatch.setattr("qadb.retries.time.sleep", pauses.append)
    return pauses


@pytest.mark.postgresql
def test_init_tries_an_unreachable_server_again_with_growing_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses = count_pauses(monkeypatch)
    url = f"postgresql://qa:geheim@127.0.0.1:{free_port()}/qa"

    with (
        open_database(url, connect_retries=4) as database,
        pytest.raises(DatabaseUnreachable) as caught,
    ):
        init_database(database)

    assert len(pauses) == 4
    assert pauses[-1] > 2 * pauses[0]
    assert type(caught.value) is DatabaseUnreachable
    assert "127.0.0.1" in caught.value.message
    assert "geheim" not in caught.value.message
    assert "\n" not in caught.value.message


def test_init_with_a_wrong_password_fails_at_once(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = count_pauses(monkeypatch)
    with ordinary_role(postgresql_url) as role:
        url = with_login(postgresql_url, role.name, "wrong")
        with (
            open_database(url, connect_retries=4) as database,
            pytest.raises(AuthenticationFailed) as caught,
        ):
            init_database(database)

    assert pauses == []
    assert role.name in caught.value.message
    assert "wrong" not in caught.value.message


def test_init_without_the_right_to_create_tables_names_the_grant(postgresql_url: str) -> None:
    execute(postgresql_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    with (
        ordinary_role(postgresql_url) as role,
        open_database(role.url(postgresql_url)) as database,
        pytest.raises(InsufficientPrivilege) as caught,
    ):
        init_database(database)

    assert "GRANT USAGE, CREATE ON SCHEMA public" in (caught.value.hint or "")
    assert fetch_column(postgresql_url, TABLES) == []


def test_init_without_the_right_to_create_databases_says_whom_to_ask(
    postgresql_server: PostgresServer, postgresql_url: str
) -> None:
    absent = f"{postgresql_url}_absent"
    with (
        ordinary_role(postgresql_url) as role,
        open_database(role.url(absent)) as database,
        pytest.raises(InsufficientPrivilege) as caught,
    ):
        init_database(database)

    assert "CREATEDB" in (caught.value.hint or "")


def test_init_works_for_an_ordinary_role_that_was_granted_its_rights(postgresql_url: str) -> None:
    with ordinary_role(postgresql_url) as role:
        execute(postgresql_url, "GRANT USAGE, CREATE ON SCHEMA public TO {}", role.name)
        with open_database(role.url(postgresql_url)) as database:
            init_database(database)
            assert read_state(database).state == "current"
            assert fetch_rows(database, "SELECT DISTINCT user_name FROM qadb_history") == [
                (role.name,)
            ]


def test_init_says_which_folder_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    url = f"sqlite:///{tmp_path / 'data' / 'qa.sqlite3'}"

    with open_database(url) as database, pytest.raises(InsufficientPrivilege) as caught:
        init_database(database)

    assert str(tmp_path / "data") in caught.value.message
    assert caught.value.hint


def test_init_in_a_folder_that_can_not_be_written_makes_nothing() -> None:
    with open_folder() as place, open_database(f"sqlite:///{place / 'qa.sqlite3'}") as database:
        place.chmod(0o555)
        with as_nobody(), pytest.raises(InsufficientPrivilege) as caught:
            init_database(database)
        assert list(place.iterdir()) == []
        place.chmod(0o755)

    assert str(place) in caught.value.message


def test_init_on_a_read_only_file_that_is_current_has_nothing_to_do() -> None:
    with open_folder() as place, open_database(f"sqlite:///{place / 'qa.sqlite3'}") as database:
        init_database(database)
        database.close()
        (place / "qa.sqlite3").chmod(0o444)
        (place / "qa.sqlite3.lock").unlink()
        place.chmod(0o555)

        with as_nobody():
            assert init_database(database).applied == ()
            database.close()

        assert [path.name for path in place.iterdir()] == ["qa.sqlite3"]
        place.chmod(0o755)


def test_migrate_of_a_read_only_file_says_so_and_changes_nothing() -> None:
    with open_folder() as place, open_database(f"sqlite:///{place / 'qa.sqlite3'}") as database:
        init_database(database)
        rollback(database, plan_rollback(database))
        database.close()
        place.chmod(0o777)
        (place / "qa.sqlite3").chmod(0o444)
        (place / "qa.sqlite3.lock").chmod(0o666)
        before = (place / "qa.sqlite3").read_bytes()

        with as_nobody(), pytest.raises(InsufficientPrivilege) as caught:
            migrate(database)
        database.close()

        assert (place / "qa.sqlite3").read_bytes() == before
        assert "can't be written" in caught.value.message


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + b"\xff" * 5000, b"\x1f\x8b" * 900])
def test_init_on_a_damaged_file_changes_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "qa.sqlite3"
    file.write_bytes(content)

    with open_database(f"sqlite:///{file}") as database, pytest.raises(NotADatabase):
        init_database(database)

    assert file.read_bytes() == content


@pytest.mark.parametrize("pages", [10, 60, 150])
def test_a_disk_that_fills_up_during_revisions_leaves_none_of_them(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    """SQLite answers alike when a file may not grow and when the disk can't let it."""
    genuine = connector._configured

    def with_little_room(connection: sqlite3.Connection) -> sqlite3.Connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return genuine(connection)

    with open_database(sqlite_url) as database:
        monkeypatch.setattr(connector, "_configured", with_little_room)
        with pytest.raises(StorageFull, match="no room left"):
            init_database(database)
        monkeypatch.undo()
        database.close()

        assert read_state(database).state == "empty"
        assert init_database(database).to_revision == HEAD
