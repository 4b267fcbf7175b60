"""Putting a rebuilt PostgreSQL database in another's place: by renaming, whole or not at all."""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from qadb.backends.postgresql import restorer
from qadb.backends.postgresql.names import former_name, is_rebuilt_name, rebuilt_name
from qadb.errors import DatabaseInUse, InsufficientPrivilege, LockNotAvailable
from tests.backends.postgresql_rich import (
    OPTIONS,
    as_text,
    claimed,
    names_on,
    on_path,
    parsed,
    rebuilt,
    state,
)
from tests.backends.sample import ignore_holder
from tests.support.databases import open_database
from tests.support.postgres_client import execute, fetch_column
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from qadb.settings import DatabaseUrl
    from tests.backends.postgresql_rich import Content
    from tests.support.postgres_server import PostgresServer


@pytest.fixture(autouse=True)
def programs_on_path(postgresql_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(monkeypatch, postgresql_server)


def test_rebuilt_database_takes_the_place_and_the_former_one_is_kept(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    content: Content,
) -> None:
    before = names_on(postgresql_server)
    with claimed(place) as claim, rebuilt(content[0], place, content[1]) as made:
        former = claim.put_in_place(made, is_damaged=False, disconnect=False, drop_previous=False)

    assert former is not None
    assert re.fullmatch(rf"{place.database}_before_\d{{8}}_\d{{6}}", former)
    assert state(place) == ["new"]
    assert state(place.with_database(former)) == ["old"]
    assert set(names_on(postgresql_server)) == {*before, former}


def test_session_that_a_pooler_keeps_in_the_rebuilt_database_is_ended(
    place: DatabaseUrl, content: Content
) -> None:
    with (
        claimed(place) as claim,
        rebuilt(content[0], place, content[1]) as made,
        closing(psycopg2.connect(as_text(made))) as kept,
    ):
        claim.put_in_place(made, is_damaged=False, disconnect=False, drop_previous=True)
        assert state(place) == ["new"]
        with pytest.raises(psycopg2.OperationalError):
            kept.cursor().execute("SELECT 1")


def test_former_database_is_dropped_where_nobody_wants_it(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    content: Content,
) -> None:
    before = names_on(postgresql_server)
    with claimed(place) as claim, rebuilt(content[0], place, content[1]) as made:
        assert (
            claim.put_in_place(made, is_damaged=False, disconnect=False, drop_previous=True) is None
        )

    assert state(place) == ["new"]
    assert names_on(postgresql_server) == before


def test_absent_place_is_taken(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    content: Content,
) -> None:
    absent = place.with_database(f"{place.database}_new")
    with claimed(absent) as claim, rebuilt(content[0], absent, content[1]) as made:
        assert claim.find_users() == ()
        assert (
            claim.put_in_place(made, is_damaged=False, disconnect=False, drop_previous=False)
            is None
        )

    assert state(absent) == ["new"]
    assert state(place) == ["old"]
    postgresql_server.drop_database(as_text(absent))


def test_whoever_is_connected_is_named_and_keeps_the_database(
    postgresql_server: PostgresServer,
    place: DatabaseUrl,
    content: Content,
) -> None:
    before = names_on(postgresql_server)
    with psycopg2.connect(as_text(place), application_name="a report") as other:
        pid = other.info.backend_pid
        with claimed(place) as claim, rebuilt(content[0], place, content[1]) as made:
            (user,) = claim.find_users()
            with pytest.raises(DatabaseInUse) as caught:
                claim.put_in_place(made, is_damaged=False, disconnect=False, drop_previous=False)
    other.close()

    assert user == f"pid {pid}, role {place.user}, application a report, from 127.0.0.1"
    assert user in caught.value.message
    assert state(place) == ["old"]
    assert names_on(postgresql_server) == before


def test_those_who_connect_again_at_once_are_sent_away(
    place: DatabaseUrl, content: Content
) -> None:
    ended, connected = threading.Event(), threading.Event()

    def keep_connecting() -> None:
        while not ended.is_set():
            try:
                with psycopg2.connect(as_text(place)) as connection:
                    connected.set()
                    connection.cursor().execute("SELECT pg_sleep(60)")
            except psycopg2.Error:
                continue

    pool = [threading.Thread(target=keep_connecting) for _ in range(4)]
    for each in pool:
        each.start()
    assert connected.wait(30)
    try:
        with claimed(place) as claim, rebuilt(content[0], place, content[1]) as made:
            former = claim.put_in_place(
                made, is_damaged=False, disconnect=True, drop_previous=False
            )
        assert former is not None
        assert state(place) == ["new"]
    finally:
        ended.set()
        end = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE query = 'SELECT pg_sleep(60)'"""
        while any(each.is_alive() for each in pool):
            fetch_column(
                as_text(place.with_database("postgres")), f"{end} AND pid <> pg_backend_pid()"
            )
            pool[0].join(0.1)


def test_session_that_may_not_be_ended_is_told(postgresql_url: str, place: DatabaseUrl) -> None:
    give = f'ALTER DATABASE "{place.database}" OWNER TO '
    empty = f"{place.database}_qadb_00000000"
    with ExitStack() as stack:
        role = stack.enter_context(ordinary_role(postgresql_url))
        execute(postgresql_url, "ALTER ROLE {} CREATEDB", role.name)
        execute(postgresql_url, give + role.name)
        stack.callback(execute, postgresql_url, f"{give}{place.user}")
        mine = parsed(role.url(postgresql_url))
        superuser = psycopg2.connect(postgresql_url)
        stack.callback(superuser.close)
        execute(role.url(postgresql_url), "CREATE DATABASE {}", empty)
        with claimed(mine) as claim:
            (user,) = claim.find_users()
            assert f"pid {superuser.info.backend_pid}, role {place.user}" in user
            with pytest.raises(InsufficientPrivilege):
                claim.put_in_place(
                    mine.with_database(empty),
                    is_damaged=False,
                    disconnect=True,
                    drop_previous=False,
                )
            assert restorer.remove_leftovers(mine, OPTIONS) == (empty,)

    assert state(place) == ["new"]


def test_two_restores_of_one_place_keep_apart(place: DatabaseUrl) -> None:
    with claimed(place), pytest.raises(LockNotAvailable, match="pid"), claimed(place):
        pass
    absent = place.with_database(f"{place.database}_new")
    with claimed(absent), pytest.raises(LockNotAvailable, match="pid"), claimed(absent):
        pass
    with claimed(place), claimed(absent):
        pass


def test_claim_and_other_operations_keep_apart(place: DatabaseUrl) -> None:
    with open_database(as_text(place)) as database:
        with (
            claimed(place),
            pytest.raises(LockNotAvailable),
            database.exclusive(wait_seconds=0, on_wait=ignore_holder),
        ):
            pass
        with (
            database.exclusive(wait_seconds=0, on_wait=ignore_holder),
            pytest.raises(LockNotAvailable),
            claimed(place),
        ):
            pass


def test_operations_give_way_to_a_claim_that_is_about_to_rename(place: DatabaseUrl) -> None:
    with open_database(as_text(place)) as database, claimed(place) as claim:
        claim._inner.close()  # the lock in the database itself
        with (
            pytest.raises(LockNotAvailable, match="qadb backup"),
            database.exclusive(wait_seconds=0, on_wait=ignore_holder),
        ):
            pass


def test_operation_that_waits_for_a_restore_finds_the_new_database(
    place: DatabaseUrl, content: Content
) -> None:
    waiting = threading.Event()
    found: list[list[str]] = []

    def wait() -> None:
        with (
            open_database(as_text(place)) as database,
            database.exclusive(wait_seconds=60, on_wait=lambda _: waiting.set()),
        ):
            found.append(state(place))

    with claimed(place) as claim, rebuilt(content[0], place, content[1]) as made:
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert waiting.wait(30)
        claim.put_in_place(made, is_damaged=False, disconnect=False, drop_previous=True)
    waiter.join(60)

    assert found == [["new"]]


def test_names_fit_and_stay_apart() -> None:
    long, longer = "é" * 31 + "x", "é" * 31 + "y"
    for name in ("qa", long):
        made = rebuilt_name(name)
        assert len(made.encode()) <= 63
        assert is_rebuilt_name(made, name)
        assert not is_rebuilt_name(made, longer)
        first = former_name(name, "20260101_120000", frozenset())
        second = former_name(name, "20260101_120000", frozenset({first}))
        assert len(second.encode()) <= 63
        assert first != second
    assert former_name("qa", "20260101_120000", frozenset()) == "qa_before_20260101_120000"
