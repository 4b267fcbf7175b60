"""What every backend promises of what deletes: another thread can end what it does just now."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.databases import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from qadb.database import Database

ENDLESS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i % 9 + 1 FROM n) SELECT count(*) FROM n
"""
DEADLINE_SECONDS = 30


@pytest.fixture
def migrated(migrated_url: str) -> Iterator[Database]:
    with open_database(migrated_url) as database:
        yield database


def test_what_a_connection_does_ends_when_it_is_interrupted(migrated: Database) -> None:
    cleaner = migrated.backend.cleaner
    with migrated.cleaning() as connect, ThreadPoolExecutor(1) as pool:
        connection = pool.submit(connect).result()
        counting = pool.submit(count_for_ever, connection)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not counting.done():
            assert time.monotonic() < deadline
            time.sleep(0.05)
            cleaner.interrupt(connection)
        assert isinstance(counting.exception(), DBAPIError)


def count_for_ever(connection: Connection) -> None:
    with connection.begin():
        connection.execute(text(ENDLESS))
