"""What every backend promises of filling an empty database: ids of one's own, and nobody beside."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, Identity, MetaData, String, Table, insert, select

from qadb.models.types import BigIntKey

if TYPE_CHECKING:
    from qadb.database import Database

COUNTED = Table(
    "Counted rows",  # a name that needs quotes
    MetaData(),
    Column("id", BigIntKey, Identity(), primary_key=True),
    Column("name", String(50)),
    sqlite_autoincrement=True,
)
WAIT_SECONDS = 30


@pytest.fixture
def counted(database: Database) -> Database:
    with database.connect() as connection:
        COUNTED.create(connection)
    return database


def add(database: Database, **values: object) -> int:
    """Insert a row and return the id that the database chose."""
    with database.connect() as connection:
        key = connection.execute(insert(COUNTED).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def seed(database: Database, ids: int) -> list[int]:
    """Give rows ids of our own, as many as asked for."""
    seeding = database.backend.seeding
    with database.connect() as connection:
        highest = seeding.reserve_ids(connection, [COUNTED])[COUNTED.name]
        given = list(range(highest + 1, highest + 1 + ids))
        for number in given:
            connection.execute(insert(COUNTED).values(id=number, name="seeded"))
        seeding.continue_ids(connection, {COUNTED: highest + ids})
    return given


def test_ids_of_a_fresh_table_count_from_one_and_go_on(counted: Database) -> None:
    assert seed(counted, 3) == [1, 2, 3]
    assert [add(counted, name="later") for _ in range(2)] == [4, 5]


def test_reserving_without_rows_changes_nothing(counted: Database) -> None:
    assert seed(counted, 0) == []
    assert add(counted, name="first") == 1


def test_ids_that_were_drawn_before_are_not_given_again(counted: Database) -> None:
    last = [add(counted, name="gone") for _ in range(7)][-1]
    with counted.connect() as connection:
        connection.execute(COUNTED.delete())

    assert seed(counted, 2) == [last + 1, last + 2]
    assert add(counted, name="later") == last + 3


def test_reserved_ids_are_free_again_after_a_rollback(counted: Database) -> None:
    seeding = counted.backend.seeding
    with counted.connect() as connection:
        seeding.reserve_ids(connection, [COUNTED])
        connection.execute(insert(COUNTED).values(id=9, name="seeded"))
        seeding.continue_ids(connection, {COUNTED: 9})
        connection.rollback()

    assert add(counted, name="first") == 1


def test_who_draws_an_id_meanwhile_gets_one_behind_those_reserved(counted: Database) -> None:
    drawn: list[int] = []
    other = threading.Thread(target=lambda: drawn.append(add(counted, name="meanwhile")))
    seeding = counted.backend.seeding
    with counted.connect() as connection:
        seeding.reserve_ids(connection, [COUNTED])
        connection.execute(insert(COUNTED).values(id=1, name="seeded"))
        other.start()
        other.join(timeout=0.5)
        assert other.is_alive()
        seeding.continue_ids(connection, {COUNTED: 1})
    other.join(timeout=WAIT_SECONDS)

    assert drawn == [2]


def test_excluding_writers_leaves_readers(counted: Database) -> None:
    add(counted, name="there")
    with counted.connect() as connection:
        counted.backend.seeding.exclude_writers(connection, COUNTED, wait_seconds=1)
        with counted.connect(read_only=True) as reader:
            assert reader.scalars(select(COUNTED.c.name)).all() == ["there"]
