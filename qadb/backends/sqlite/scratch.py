"""An empty place for revisions beside a SQLite database: memory, gone when nobody needs it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.backends.sqlite.connector import open_engine
from qadb.backends.values import ConnectionOptions
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine


@contextmanager
def empty_place(engine: Engine) -> Iterator[Connection]:
    """Connect to a database in memory, in a transaction."""
    del engine
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
