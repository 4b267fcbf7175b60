"""Restoring into a SQLite file that others use goes on beside them, or says who is in the way."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import live_file
from qadb.errors import DatabaseInUse
from qadb.operations.restore import RestoreOptions, plan_restore, restore
from tests.operations.sqlite.scene import (
    ADD,
    ADD_LATER,
    COUNT,
    is_sound,
    put_back,
    set_journal_mode,
    somebody_else,
)
from tests.support.databases import fetch_rows

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database


def test_who_has_the_file_open_goes_on_with_the_new_data(
    database: Database, backup: Path, live: Path
) -> None:
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        assert other.execute(COUNT).fetchone() == (250,)
        assert put_back(database, backup) is None
        assert other.execute(COUNT).fetchone() == (249,)
        other.execute(ADD)

    assert fetch_rows(database, COUNT) == [(250,)]
    assert is_sound(live)


def test_a_reader_in_a_transaction_sees_the_former_data_to_its_end(
    database: Database, backup: Path, live: Path
) -> None:
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute(COUNT).fetchone() == (250,)
        put_back(database, backup)
        assert other.execute(COUNT).fetchone() == (250,)
        other.execute("COMMIT")
        assert other.execute(COUNT).fetchone() == (249,)

    assert is_sound(live)


def test_writers_wait_and_go_on(database: Database, backup: Path, live: Path) -> None:
    stop = threading.Event()
    failures: list[Exception] = []

    def write() -> None:
        with closing(sqlite3.connect(live, timeout=30, isolation_level=None)) as other:
            while not stop.is_set():
                try:
                    other.execute("UPDATE countries SET name = name WHERE code = 'DE'")
                except sqlite3.Error as error:
                    failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        put_back(database, backup)
    finally:
        stop.set()
        thread.join()

    assert failures == []
    assert fetch_rows(database, COUNT) == [(249,)]
    assert is_sound(live)


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_a_writer_in_a_transaction_commits_before_anything_is_replaced(
    database: Database, backup: Path, live: Path, journal_mode: str
) -> None:
    set_journal_mode(database, live, journal_mode)
    write = f"""
import sqlite3, time
c = sqlite3.connect({str(live)!r}, isolation_level=None)
c.execute("BEGIN IMMEDIATE")
c.execute({ADD_LATER!r})
print("writing", flush=True)
time.sleep(0.5)
c.execute("COMMIT")
"""
    plan = plan_restore(database, backup)
    with somebody_else(write) as writer:
        result = restore(database, plan, RestoreOptions(safety_folder=backup.parent))
    assert writer.returncode == 0

    assert fetch_rows(database, COUNT) == [(249,)]
    assert result.safety_backup is not None
    restore(database, plan_restore(database, result.safety_backup))
    assert fetch_rows(database, COUNT) == [(251,)]


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_a_writer_who_does_not_end_is_named(
    database: Database,
    backup: Path,
    live: Path,
    monkeypatch: pytest.MonkeyPatch,
    journal_mode: str,
) -> None:
    set_journal_mode(database, live, journal_mode)
    monkeypatch.setattr(live_file, "BUSY_SECONDS", 0.3)
    hold = f"""
import sqlite3
c = sqlite3.connect({str(live)!r}, isolation_level=None)
c.execute("BEGIN IMMEDIATE")
print("holding", flush=True)
input()
"""
    with (
        somebody_else(hold) as holder,
        pytest.raises(DatabaseInUse, match=f"pid {holder.pid}"),
    ):
        put_back(database, backup)

    assert fetch_rows(database, COUNT) == [(250,)]


@pytest.mark.parametrize("page_size", [1024, 65536])
def test_other_pages_are_rebuilt_to_the_live_file_s(
    database: Database, backup: Path, live: Path, page_size: int
) -> None:
    database.close()
    with closing(sqlite3.connect(live, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute(f"PRAGMA page_size = {page_size}")
        other.execute("VACUUM")
        other.execute("PRAGMA journal_mode = WAL")

    put_back(database, backup)

    assert fetch_rows(database, COUNT) == [(249,)]
    with closing(sqlite3.connect(live)) as other:
        assert other.execute("PRAGMA page_size").fetchone() == (page_size,)
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert is_sound(live)
