"""Sessions on PostgreSQL: what they set, what they leave behind, and how they end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.backends.values import ConnectionOptions
from qadb.database import Database
from qadb.errors import (
    DatabaseFailure,
    InsufficientPrivilege,
    LockNotAvailable,
    ReadOnlySession,
    TransactionConflict,
)
from tests.backends.sample import PARENT, ignore_holder, insert, make_tables, read_column
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.postgres_client import execute as execute_as_admin
from tests.support.postgres_client import fetch_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

PARENTS = "SELECT id FROM parent ORDER BY id"


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    """One pooled connection, so that what a transaction leaves meets the next one."""
    options = ConnectionOptions(
        application="qadb test", pool_size=1, max_overflow=0, pool_timeout_seconds=0.1
    )
    with Database(open_database(postgresql_url).url, options=options, connect_retries=0) as opened:
        make_tables(opened)
        yield opened


def count_sessions(url: str) -> int:
    name = url.rpartition("/")[2]
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'"
    return len(fetch_column(url, f"{query} AND pid <> pg_backend_pid()"))


def setting(connection: Connection, name: str) -> str:
    return str(connection.scalar(text("SELECT current_setting(:name)"), {"name": name}))


def test_transaction_has_our_name_and_utc_and_leaves_neither(
    database: Database, postgresql_url: str
) -> None:
    name = postgresql_url.rpartition("/")[2]
    execute_as_admin(postgresql_url, "ALTER DATABASE {} SET timezone = 'Asia/Kathmandu'", name)
    database.close()
    with database.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        assert setting(connection, "application_name") == "qadb test"
        assert setting(connection, "TimeZone") == "UTC"

    with database.engine().connect() as connection:
        driver = connection.connection.cursor()
        driver.execute("SHOW application_name")
        name_between = driver.fetchone()
        driver.execute("SELECT pg_backend_pid(), current_setting('TimeZone')")
        assert (name_between, driver.fetchone()) == (("",), (pid, "Asia/Kathmandu"))


def test_read_only_does_not_leak_into_a_later_transaction(database: Database) -> None:
    with pytest.raises(ReadOnlySession), database.connect(read_only=True) as connection:
        connection.execute(PARENT.insert(), {"id": 1})

    execute(database, "INSERT INTO parent VALUES (1)")
    assert fetch_rows(database, PARENTS) == [(1,)]


def test_server_that_takes_no_writes_is_named_as_such(
    database: Database, postgresql_url: str
) -> None:
    name = postgresql_url.rpartition("/")[2]
    execute_as_admin(
        postgresql_url, "ALTER DATABASE {} SET default_transaction_read_only = on", name
    )
    database.close()

    with pytest.raises(InsufficientPrivilege, match="takes no writes") as caught:
        execute(database, "INSERT INTO parent VALUES (1)")

    assert "standby" in (caught.value.hint or "")


def test_lock_outlives_the_servers_timeouts(database: Database, postgresql_url: str) -> None:
    name = postgresql_url.rpartition("/")[2]
    timeouts = ["idle_in_transaction_session_timeout", "idle_session_timeout"]
    if int(fetch_column(postgresql_url, "SHOW server_version_num")[0]) >= 170_000:
        timeouts.append("transaction_timeout")
    for timeout in timeouts:
        execute_as_admin(postgresql_url, f"ALTER DATABASE {{}} SET {timeout} = '50ms'", name)
    with (
        Database(database.url) as second,
        Database(database.url) as first,
        first.exclusive(wait_seconds=0, on_wait=ignore_holder),
    ):
        threading.Event().wait(0.3)
        with (
            pytest.raises(LockNotAvailable),
            second.exclusive(wait_seconds=0, on_wait=ignore_holder),
        ):
            pytest.fail("the lock was lost")


def test_lock_and_revisions_leave_no_session(database: Database, postgresql_url: str) -> None:
    database.close()
    with database.exclusive(wait_seconds=0, on_wait=ignore_holder):
        assert count_sessions(postgresql_url) == 1
        with (
            pytest.raises(LockNotAvailable),
            database.exclusive(wait_seconds=0, on_wait=ignore_holder),
        ):
            pass
        with database.migrating(lock_timeout_seconds=1) as connection:
            connection.execute(text("SELECT 1"))
    assert database.exists()
    execute(database, "SELECT 1")
    database.close()

    wait_for(lambda: count_sessions(postgresql_url) == 0)


def wait_for(condition: Callable[[], bool]) -> None:
    """A server's session ends a moment after its client."""
    for _ in range(100):
        if condition():
            return
        threading.Event().wait(0.05)
    pytest.fail("it never came true")


def test_pool_with_nothing_left_fails_without_being_tried_again(database: Database) -> None:
    database.connect_retries = 10
    with (
        database.connect(),
        pytest.raises(DatabaseFailure, match="in use") as caught,
        database.connect(),
    ):
        pass
    assert "DATABASE_POOL_SIZE" in (caught.value.hint or "")


def test_revision_waits_a_short_time_for_a_table(database: Database) -> None:
    with Database(database.url) as reader, reader.connect() as other:
        other.execute(text(PARENTS))

        def migrate() -> None:
            with database.migrating(lock_timeout_seconds=0.05) as connection:
                connection.execute(text("ALTER TABLE parent ADD COLUMN name text"))

        with pytest.raises(LockNotAvailable) as caught:
            migrate()
    assert "--lock-timeout" in (caught.value.hint or "")


def test_deadlock_is_a_conflict_of_one_and_the_other_goes_on(
    database: Database, postgresql_url: str
) -> None:
    execute(database, "INSERT INTO parent VALUES (1), (2)")
    both_hold_one = threading.Barrier(2)
    outcomes: list[str] = []

    def lock(first: int, second: int) -> None:
        update = text("UPDATE parent SET id = id WHERE id = :id")
        try:
            with Database(database.url) as mine, mine.connect() as connection:
                connection.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
                connection.execute(update, {"id": first})
                both_hold_one.wait(timeout=10)
                connection.execute(update, {"id": second})
            outcomes.append("done")
        except TransactionConflict as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=lock, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["done", "transaction_conflict"]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_text_arrives_whatever_encoding_server_and_environment_prefer(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    url = f"{postgresql_url}_{encoding.lower()}"
    name = url.rpartition("/")[2]
    options = f"TEMPLATE template0 LOCALE 'C' ENCODING '{encoding}'"
    execute_as_admin(postgresql_url, f"CREATE DATABASE {{}} {options}", name)
    try:
        with open_database(url) as database:
            make_tables(database)
            insert(database, ("id", "select"), [(1, "déjà")])
            execute(database, """INSERT INTO "Sample rows" (id, "select") VALUES (2, 'déjà')""")
            assert read_column(database, "select") == ["déjà", "déjà"]
    finally:
        execute_as_admin(postgresql_url, "DROP DATABASE {} WITH (FORCE)", name)
