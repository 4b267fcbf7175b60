"""Places to try revisions in beside a SQLite database: empty memory, and a copy of the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from qadb.backends.sqlite.connector import open_engine
from qadb.backends.sqlite.errors import translate
from qadb.backends.values import ConnectionOptions
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

PAGES_AT_ONCE = 1000


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
    with engine.connect() as connection:
        # One read transaction holds the moment, so that no writer makes the copy begin again.
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        live = connection.connection.driver_connection
        if not isinstance(live, sqlite3.Connection):
            raise TypeError("this is no connection to SQLite")
        try:
            with closing(sqlite3.connect(str(url.path), isolation_level=None)) as copy:
                copy.execute("PRAGMA synchronous = OFF")
                live.backup(copy, pages=PAGES_AT_ONCE)
        except sqlite3.Error as error:
            raise translate(error, url) from error
    yield url
