"""A SQLite file's log is emptied beside who fills it, and begun anew where it has grown long."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import emptying
from tests.support.databases import execute, open_database, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.database import Database

ADD = "INSERT INTO t (text) VALUES ('x')"
DEADLINE_SECONDS = 10  # a tenth of a second is usual, thirty are what others wait for locks


@pytest.fixture
def database(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Any log is long in it."""
    monkeypatch.setattr(emptying, "LONG_PAGES", 1)
    with open_database(sqlite_url) as database:
        database.create()
        execute(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        yield database


def pages_of(log: sqlite3.Connection) -> int:
    """How many pages it holds."""
    pages: int = log.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    return pages


def test_long_log_is_begun_anew(database: Database, sqlite_url: str) -> None:
    with (
        closing(sqlite3.connect(sqlite_file(sqlite_url), isolation_level=None)) as other,
        emptying.emptying(database.engine()) as log,
    ):
        for _ in range(5):
            execute(database, ADD)
        before = pages_of(other)
        log.empty()
        log.wait()
        assert log.is_long
        log.restart()
        execute(database, ADD)

        assert 0 < pages_of(other) < before


def test_log_that_somebody_reads_keeps_nobody_waiting(database: Database, sqlite_url: str) -> None:
    execute(database, ADD)
    with (
        closing(sqlite3.connect(sqlite_file(sqlite_url), isolation_level=None)) as reader,
        emptying.emptying(database.engine()) as log,
    ):
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
        execute(database, ADD)
        log.empty()
        log.wait()
        waiting = threading.Thread(target=log.restart)
        waiting.start()
        waiting.join(DEADLINE_SECONDS)
        is_over = not waiting.is_alive()
        reader.execute("ROLLBACK")
        waiting.join()

        assert is_over
        assert not log.is_long  # it is not tried again before it is longer
        execute(database, ADD)
