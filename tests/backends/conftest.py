"""Databases that backend tests work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.backends.sample import make_tables
from tests.support.databases import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An existing, empty database; the test runs once an engine."""
    with open_database(database_url) as opened:
        opened.create()
        yield opened


@pytest.fixture
def sample(database: Database) -> Database:
    """A database with the sample's tables; the test runs once an engine."""
    make_tables(database)
    return database
