"""Waiting for PostgreSQL's lock: nobody who waits is in the way of a rename."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from qadb.backends.postgresql.locks import RENAMED
from qadb.errors import DatabaseAbsent, LockNotAvailable
from tests.backends.sample import ignore_holder
from tests.support.databases import open_database
from tests.support.postgres_client import execute

if TYPE_CHECKING:
    from qadb.backends.values import LockHolder
    from tests.support.postgres_server import PostgresServer


def test_database_can_be_renamed_while_others_wait_for_its_lock(
    postgresql_server: PostgresServer, postgresql_url: str
) -> None:
    """The waiter finds the lock held, then the database gone, and then both there and free."""
    name = postgresql_url.rpartition("/")[2]
    rename = "ALTER DATABASE {} RENAME TO {}"
    said: list[str] = []

    def move(holder: LockHolder) -> None:
        said.append(holder.description)
        if len(said) == 1:
            first.close()
            execute(postgresql_server.admin_url, rename, name, f"{name}_away")
        elif len(said) == 2:
            execute(postgresql_server.admin_url, rename, f"{name}_away", name)

    with open_database(postgresql_url) as holder, open_database(postgresql_url) as waiter:
        first = ExitStack()
        first.enter_context(holder.exclusive(wait_seconds=0, on_wait=ignore_holder))
        with waiter.exclusive(wait_seconds=60, on_wait=move):
            pass

    assert "qadb" in said[0]
    assert said[1:] == [RENAMED]


def test_waiting_for_a_database_that_does_not_come_back_ends(
    postgresql_server: PostgresServer, postgresql_url: str
) -> None:
    name = postgresql_url.rpartition("/")[2]
    rename = "ALTER DATABASE {} RENAME TO {}"
    seen: list[LockHolder] = []

    def take_away(holder: LockHolder) -> None:
        seen.append(holder)
        if len(seen) == 1:
            first.close()
            execute(postgresql_server.admin_url, rename, name, f"{name}_away")

    with open_database(postgresql_url) as holder, open_database(postgresql_url) as waiter:
        first = ExitStack()
        first.enter_context(holder.exclusive(wait_seconds=0, on_wait=ignore_holder))
        with (
            pytest.raises(LockNotAvailable, match=RENAMED),
            waiter.exclusive(wait_seconds=1, on_wait=take_away),
        ):
            pytest.fail("nobody can hold it")

    assert len(seen) > 1


def test_absent_database_is_told_at_once(postgresql_url: str) -> None:
    with (
        open_database(f"{postgresql_url}_no") as database,
        pytest.raises(DatabaseAbsent),
        database.exclusive(wait_seconds=60, on_wait=ignore_holder),
    ):
        pass
