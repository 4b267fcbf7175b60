"""Fixtures of the operations' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.operations.worker import Worker
from tests.support.databases import open_database
from tests.support.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """An empty place for a database."""
    with open_database(database_url) as database:
        yield database


@pytest.fixture
def migrated(migrated_url: str) -> Iterator[Database]:
    """A database at the newest revision."""
    with open_database(migrated_url) as database:
        yield database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for revisions."""
    return tmp_path / "migrations"


@pytest.fixture
def qadb(tmp_path: Path) -> Program:
    """The program in an empty folder; a variable or an option names the database."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Program(folder)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A child for operations that are killed."""
    with Worker() as worker:
        yield worker
