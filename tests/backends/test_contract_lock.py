"""What every backend promises of the operations' lock: one holder, known by name, gone with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.backends.values import ConnectionOptions
from qadb.database import Database
from qadb.errors import ExitCode, LockNotAvailable
from tests.backends.sample import ignore_holder
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.program import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.backends.values import LockHolder


@contextmanager
def child(url: str, *, wait_seconds: float = 0) -> Iterator[subprocess.Popen[str]]:
    """Another process that takes the lock and keeps it until it is told to end."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.backends.lock_child", url, str(wait_seconds)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=30) == 0


def take(database: Database, wait_seconds: float = 0) -> None:
    with database.exclusive(wait_seconds=wait_seconds, on_wait=ignore_holder):
        pass


def test_lock_held_by_another_process_is_refused_with_its_name(
    database: Database, database_url: str
) -> None:
    seen: list[LockHolder] = []
    with child(database_url) as other:
        assert read_line(other) == "held"
        with (
            pytest.raises(LockNotAvailable) as caught,
            database.exclusive(wait_seconds=2, on_wait=seen.append),
        ):
            pytest.fail("two hold the lock")

    assert caught.value.exit_code is ExitCode.LOCKED
    assert "qadb child" in caught.value.message
    assert re.search(r"pid \d+", caught.value.message)  # a server's process on PostgreSQL
    holder, _, _ = seen[0].description.rpartition(", for ")  # the seconds go on
    assert holder in caught.value.message
    waits = [holder.waited_seconds for holder in seen]
    assert waits == sorted(waits)
    assert len(waits) > 1


def test_sqlite_names_the_holders_own_pid(sqlite_url: str) -> None:
    with open_database(sqlite_url) as database, child(sqlite_url) as other:
        assert read_line(other) == "held"
        with pytest.raises(LockNotAvailable, match=f"pid {other.pid} "):
            take(database)


def test_waiting_process_gets_the_lock_when_the_holder_ends(
    database: Database, database_url: str
) -> None:
    options = ConnectionOptions(application="qadb first")
    with ExitStack() as stack:
        holder = stack.enter_context(Database(database.url, options=options))
        with holder.exclusive(wait_seconds=0, on_wait=ignore_holder):
            other = stack.enter_context(child(database_url, wait_seconds=30))
            said = read_line(other)

        assert said.startswith("waiting pid ")
        assert re.search(r", qadb first, for \d+ s$", said)
        assert read_line(other) == "held"
        end(other)


def test_lock_dies_with_a_killed_owner(database: Database, database_url: str) -> None:
    with child(database_url) as other:
        assert read_line(other) == "held"
        os.kill(other.pid, signal.SIGKILL)
        other.wait(timeout=30)

        take(database, wait_seconds=15)  # a server notices after a moment


def test_lock_is_released_after_an_exception(database: Database, database_url: str) -> None:
    def fail() -> None:
        with database.exclusive(wait_seconds=0, on_wait=ignore_holder):
            raise LookupError("the operation's own affair")

    with pytest.raises(LookupError, match="own affair"):
        fail()

    with child(database_url) as other:
        assert read_line(other) == "held"
        end(other)
    take(database)


def test_lock_is_not_for_two_of_one_process(database: Database) -> None:
    with (
        Database(database.url) as second,
        database.exclusive(wait_seconds=0, on_wait=ignore_holder),
        pytest.raises(LockNotAvailable, match=r"pid \d+"),
    ):
        take(second)


def test_holder_reads_and_writes_and_readers_go_on(database: Database) -> None:
    with (
        Database(database.url) as reader,
        database.exclusive(wait_seconds=0, on_wait=ignore_holder),
    ):
        execute(database, "CREATE TABLE made (id INTEGER)")
        assert fetch_rows(reader, "SELECT count(*) FROM made") == [(0,)]


def test_threads_take_the_lock_one_after_the_other(database: Database) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with (
            Database(database.url) as mine,
            mine.exclusive(wait_seconds=30, on_wait=ignore_holder),
        ):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1, 1, 1, 1]
