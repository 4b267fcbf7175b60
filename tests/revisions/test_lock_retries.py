"""A table that somebody uses: tried again, said, and given up in the end."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.errors import ExitCode, LockNotAvailable
from qadb.revisions import runner
from qadb.revisions.runner import run_revisions
from qadb.revisions.state import read_state
from tests.revisions.running import go_up
from tests.support.databases import fetch_rows
from tests.support.revision_folders import write_revision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database

WIDEN = 'op.alter_column("parent", "name", existing_type=sa.String(20), type_=sa.String(40))'


@contextmanager
def in_use(url: str, table: str) -> Iterator[psycopg2.extensions.connection]:
    """Another session that has read the table and has not ended its transaction."""
    connection = psycopg2.connect(url)
    try:
        connection.cursor().execute(f"SELECT * FROM {table}")
        yield connection
    finally:
        connection.close()


@pytest.fixture
def at_001(small_postgresql: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Stands at 001; 002 makes a table and 003 needs parent for itself; pauses are short."""
    write_revision(folder, "003", "002", up=WIDEN)
    monkeypatch.setattr(runner, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(runner, "LONGEST_PAUSE_SECONDS", 0.05)
    go_up(small_postgresql, "001")
    return small_postgresql


def test_table_in_use_is_tried_again_and_then_given_up(
    at_001: Database, postgresql_url: str
) -> None:
    said: list[str] = []

    with in_use(postgresql_url, "parent"), pytest.raises(LockNotAvailable) as caught:
        run_revisions(
            at_001,
            "up",
            "003",
            lock_timeout_seconds=0.01,
            on_step=lambda _: None,
            on_retry=said.append,
        )

    assert caught.value.exit_code == ExitCode.LOCKED
    assert len(said) == runner.LOCK_ATTEMPTS - 1
    assert said[0].endswith(" s.")
    assert "Attempt 1 of 10" in said[0]
    assert read_state(at_001).revision in ("001", "002")


def test_run_goes_on_when_the_table_is_let_go(at_001: Database, postgresql_url: str) -> None:
    with in_use(postgresql_url, "parent") as other:
        let_go = threading.Event()

        def on_retry(message: str) -> None:
            if not let_go.is_set():
                other.rollback()
                let_go.set()

        applied = run_revisions(
            at_001,
            "up",
            "003",
            lock_timeout_seconds=0.05,
            on_step=lambda _: None,
            on_retry=on_retry,
        )

    assert let_go.is_set()
    assert [step.revision for step in applied] == ["002", "003"]
    assert read_state(at_001).state == "current"
    history = "SELECT revision FROM qadb_history ORDER BY id"
    assert fetch_rows(at_001, history) == [("001",), ("002",), ("003",)]


def test_lock_timeout_of_zero_does_not_wait_for_ever(at_001: Database, postgresql_url: str) -> None:
    with in_use(postgresql_url, "parent") as other:
        let_go = threading.Timer(10, other.rollback)  # for a run that would wait for ever
        let_go.start()
        with pytest.raises(LockNotAvailable):
            run_revisions(at_001, "up", "003", lock_timeout_seconds=0, on_step=lambda _: None)
        let_go.cancel()
        let_go.join()


def test_who_is_in_the_way_is_named_while_it_is_and_in_the_end(
    at_001: Database, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOCK_ATTEMPTS", 2)
    said: list[str] = []
    with in_use(postgresql_url, "parent WHERE name <> 'a secret'") as other:
        pid = other.get_backend_pid()

        with pytest.raises(LockNotAvailable) as caught:
            run_revisions(
                at_001,
                "up",
                "003",
                lock_timeout_seconds=3,  # looking takes half a second
                on_step=lambda _: None,
                on_retry=said.append,
            )

    words = rf"pid {pid} on .+, \d+ s in its transaction, \d+ s ago: SELECT \* FROM parent WHERE"
    assert re.match(f"Waiting for {words}", said[0])
    assert re.match(f"A table is in use by {words}", caught.value.message)
    assert f"pg_terminate_backend({pid})" in (caught.value.hint or "")
    assert "secret" not in f"{said} {caught.value.message}"


def test_run_that_nobody_blocks_says_nothing(at_001: Database) -> None:
    said: list[str] = []

    run_revisions(
        at_001, "up", "003", lock_timeout_seconds=2, on_step=lambda _: None, on_retry=said.append
    )

    assert said == []
