"""Databases for tests of revisions."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.migrations.revisions import open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.support.postgres_server import PostgresServer


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def two_engines(
    database_server: PostgresServer | None, tmp_path: Path
) -> Iterator[tuple[Engine, Engine]]:
    """Two empty databases of one engine."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(_database(database_server, tmp_path / f"{name}.sqlite3"))
            for name in ("first", "second")
        )
        yield first, second


@contextmanager
def _database(server: PostgresServer | None, file: Path) -> Iterator[Engine]:
    url = server.create_database() if server else f"sqlite:///{file}"
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
        if server:
            server.drop_database(url)
