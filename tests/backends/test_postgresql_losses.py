"""Connections to PostgreSQL that end on the way: what is said, and that no half-done work stays."""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.backends.values import ConnectionOptions
from qadb.database import Database
from qadb.errors import (
    ConnectionLost,
    QadbError,
)
from tests.backends.sample import PARENT, ignore_holder, make_tables
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.postgres_client import fetch_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


def end_other_sessions(url: str) -> list[str]:
    """End every session on the database but this statement's own; return their pids."""
    name = url.rpartition("/")[2]
    return fetch_column(
        url,
        "SELECT pid FROM pg_stat_activity, pg_terminate_backend(pid, 5000) "
        f"WHERE datname = '{name}' AND pid <> pg_backend_pid()",
    )


def test_pooled_connection_that_died_meanwhile_is_replaced(
    database: Database, postgresql_url: str
) -> None:
    execute(database, "INSERT INTO parent VALUES (1)")
    assert len(end_other_sessions(postgresql_url)) >= 1

    execute(database, "INSERT INTO parent VALUES (2)")

    assert fetch_rows(database, PARENTS) == [(1,), (2,)]


def write_one(database: Database, connection: Connection) -> None:
    del database
    connection.execute(PARENT.insert(), {"id": 2})


def copy_many(database: Database, connection: Connection) -> None:
    database.backend.bulk.insert(connection, PARENT, ("id",), ((i,) for i in range(2, 50_000)))


def copy_missing(database: Database, connection: Connection) -> None:
    database.backend.bulk.insert_missing(connection, PARENT, ("id",), [(2,)])


def only_commit(database: Database, connection: Connection) -> None:
    """The loss shows in the commit."""


@pytest.mark.parametrize("act", [write_one, copy_many, copy_missing, only_commit])
def test_connection_that_ends_inside_a_transaction_is_lost_with_its_work(
    database: Database, postgresql_url: str, act: Callable[[Database, Connection], None]
) -> None:
    def write() -> None:
        with database.connect() as connection:
            connection.execute(PARENT.insert(), {"id": 1})
            end_other_sessions(postgresql_url)
            act(database, connection)

    with pytest.raises(ConnectionLost) as caught:
        write()

    assert re.search("terminating|closed the connection", caught.value.message)
    assert "rolled back" in (caught.value.hint or "")
    assert fetch_rows(database, PARENTS) == []


def test_connection_that_ends_during_copy_is_lost_with_its_work(
    database: Database, postgresql_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def rows() -> Iterator[Sequence[object]]:
        for number in range(100_000):
            if number == 20_000:
                end_other_sessions(postgresql_url)
            yield (number,)

    hook = sys.excepthook
    with pytest.raises(ConnectionLost, match="terminating"), database.connect() as connection:
        database.backend.bulk.insert(connection, PARENT, ("id",), rows())

    assert capfd.readouterr() == ("", "")
    assert sys.excepthook is hook
    assert fetch_rows(database, PARENTS) == []


def test_connection_that_ends_during_a_revision_is_lost(
    database: Database, postgresql_url: str
) -> None:
    def migrate() -> None:
        with database.migrating(lock_timeout_seconds=1) as connection:
            connection.execute(text("CREATE TABLE half (id INTEGER)"))
            end_other_sessions(postgresql_url)
            connection.commit()

    with pytest.raises(ConnectionLost):
        migrate()


def test_transaction_that_was_idle_for_too_long_is_lost(
    database: Database, postgresql_url: str
) -> None:
    def idle() -> None:
        with database.connect() as connection:
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '1ms'"))
            connection.execute(text("SELECT pg_sleep(0)"))
            threading.Event().wait(0.3)
            connection.execute(PARENT.insert(), {"id": 1})

    with pytest.raises(ConnectionLost, match=r"closed the connection|idle"):
        idle()


def test_lock_that_is_lost_on_the_way_is_logged_and_spoils_nothing(
    database: Database, postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "qadb"),
        database.exclusive(wait_seconds=0, on_wait=ignore_holder),
    ):
        execute(database, "INSERT INTO parent VALUES (1)")
        end_other_sessions(postgresql_url)

    assert "lock broke" in caplog.text
    assert fetch_rows(database, PARENTS) == [(1,)]


def test_lock_that_is_lost_does_not_hide_why_the_operation_failed(
    database: Database, postgresql_url: str
) -> None:
    def fail() -> None:
        with database.exclusive(wait_seconds=0, on_wait=ignore_holder):
            end_other_sessions(postgresql_url)
            raise QadbError("the real reason")

    with pytest.raises(QadbError, match="the real reason"):
        fail()
