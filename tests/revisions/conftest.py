"""Fixtures of the revisions' tests: two small tables and room for what follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.databases import open_database
from tests.support.revision_folders import schema_of, write_revision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database

PARENT = 'op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20))")'
CHILD = """\
op.execute(
    "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL"
    " REFERENCES parent (id) ON DELETE CASCADE)"
)"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with revisions 001 (table parent) and 002 (table child)."""
    folder = tmp_path / "migrations"
    drop_parent, drop_child = (f'op.execute("DROP TABLE {name}")' for name in ("parent", "child"))
    write_revision(folder, "001", None, up=PARENT, back=drop_parent, title="Parents")
    write_revision(folder, "002", "001", up=CHILD, back=drop_child, title="Children")
    return folder


@pytest.fixture
def small(database_url: str, folder: Path) -> Iterator[Database]:
    """An empty place for a database whose revisions are those of the folder."""
    with open_database(database_url, schema_of(folder)) as database:
        database.create()
        yield database


@pytest.fixture
def small_sqlite(sqlite_url: str, folder: Path) -> Iterator[Database]:
    """The same on SQLite alone."""
    with open_database(sqlite_url, schema_of(folder)) as database:
        database.create()
        yield database


@pytest.fixture
def small_postgresql(postgresql_url: str, folder: Path) -> Iterator[Database]:
    """The same on PostgreSQL alone."""
    with open_database(postgresql_url, schema_of(folder)) as database:
        yield database
