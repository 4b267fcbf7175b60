"""Fixtures of the demo's tests: one demo an engine, which tests only read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from qadb.operations.demo import add_demo
from tests.support.databases import open_database
from tests.support.migrated import copy_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer

NOW = datetime(2026, 3, 10, 9, 30, 12, 345678, tzinfo=UTC)


@pytest.fixture(scope="session")
def demo(
    database_server: PostgresServer | None,
    migrated_template_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Database]:
    """A database with the demo of a fixed moment."""
    folder = tmp_path_factory.mktemp("demo")
    with (
        copy_of(migrated_template_url, database_server, folder) as url,
        open_database(url) as database,
    ):
        add_demo(database, now=NOW)
        yield database
