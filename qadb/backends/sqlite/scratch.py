"""Places to try revisions in beside a SQLite database: empty memory, and a copy of the file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.backends.sqlite.connector import open_engine
from qadb.backends.sqlite.copying import copy_moment
from qadb.backends.values import ConnectionOptions
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine


@contextmanager
def empty_place(url: DatabaseUrl, engine: Engine) -> Iterator[Connection]:
    """Connect to a database in memory, in a transaction."""
    del url, engine
    memory = DatabaseUrl("sqlite", is_memory=True)
    scratch = open_engine(memory, ConnectionOptions(), read_only=False, pooled=False)
    try:
        with scratch.connect() as connection:
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # as wherever revisions run
            connection.rollback()
            with connection.begin():
                yield connection
    finally:
        scratch.dispose()


@contextmanager
def copied_place(engine: Engine, folder: Path) -> Iterator[DatabaseUrl]:
    """Copy what the database holds at one moment; writers write on meanwhile."""
    url = DatabaseUrl("sqlite", path=folder / "copy.sqlite3")
    copy_moment(engine, folder / "copy.sqlite3")
    yield url
