"""Other people's sessions on a server: one that holds a lock, one that waits for it."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg2

from tests.support.postgres_client import fetch_column

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Blockade:
    """Who is idle in a transaction, and who waits for it."""

    holder_pid: int
    waiter_pid: int


@contextmanager
def idle_transaction(url: str, statement: str) -> Iterator[int]:
    """A session that ran a statement and then forgot its transaction; its pid."""
    with closing(psycopg2.connect(url)) as connection:
        connection.cursor().execute(statement)
        yield connection.info.backend_pid


@contextmanager
def busy_session(url: str, statement: str) -> Iterator[int]:
    """A session that is at a statement for as long as the block lasts; its pid."""
    with closing(psycopg2.connect(url)) as connection:
        pid = connection.info.backend_pid
        thread = threading.Thread(target=_run, args=(connection, statement))
        thread.start()
        try:
            wait_for(url, f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'")
            yield pid
        finally:
            connection.cancel()
            thread.join(LONGEST_SECONDS)


@contextmanager
def blockade(url: str, table: str) -> Iterator[Blockade]:
    """One session that has a table for itself and forgot it, and another that wants to read it."""
    with (
        idle_transaction(url, f"LOCK TABLE {table}") as holder,
        busy_session(url, f"SELECT count(*) FROM {table} WHERE 'a secret' <> ''") as waiter,
    ):
        wait_for(url, f"SELECT 1 FROM pg_locks WHERE pid = {waiter} AND NOT granted")
        yield Blockade(holder, waiter)


def wait_for(url: str, query: str) -> None:
    """Wait until a query finds something."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not fetch_column(url, query):
        assert time.monotonic() < deadline, f"in vain: {query}"
        time.sleep(0.01)


def _run(connection: psycopg2.extensions.connection, statement: str) -> None:
    try:
        connection.cursor().execute(statement)
    except psycopg2.Error:
        return  # it was cancelled
