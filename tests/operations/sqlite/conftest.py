"""Fixtures: a database of ours in a file, and a backup that it has moved on from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.operations.backup import create_backup
from qadb.operations.init import init_database
from tests.operations.sqlite.scene import ADD
from tests.support.databases import execute, open_database, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """A database at the newest revision."""
    with open_database(sqlite_url) as database:
        init_database(database)
        yield database


@pytest.fixture
def live(sqlite_url: str) -> Path:
    """Its file."""
    return sqlite_file(sqlite_url)


@pytest.fixture
def backup(database: Database, tmp_path: Path) -> Path:
    """A backup of it; the database has got one more row since."""
    path = create_backup(database, tmp_path / "backups").path
    execute(database, ADD)
    return path
