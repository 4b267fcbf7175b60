"""Copies of a SQLite database as it is at one moment, through SQLite's own backup interface.

A read transaction holds the moment, so that no writer makes the copy begin again: in WAL mode
writers write on, and a copy always comes to its end.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.backends.sqlite.errors import translate
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

PAGES_AT_ONCE = 1000


def ignore_bytes(done: int) -> None:
    """Take no notice of how far a copy is."""
    del done


def copy_moment(
    engine: Engine, target: Path, on_bytes: Callable[[int], None] = ignore_bytes
) -> datetime:
    """Copy into a new file, which nobody has synced; returns when the moment was, UTC.

    Args:
        engine: reads the database.
        target: a file that is not there.
        on_bytes: told how much is copied.
    """
    url = DatabaseUrl("sqlite", path=target)
    with reading_moment(engine) as (live, taken_at):
        page_size: int = live.execute("PRAGMA page_size").fetchone()[0]

        def tell(_status: int, remaining: int, total: int) -> None:
            on_bytes((total - remaining) * page_size)

        try:
            with closing(sqlite3.connect(str(target), isolation_level=None)) as copy:
                # Nobody needs the copy after a crash, and nobody else sees it before.
                copy.execute("PRAGMA synchronous = OFF")
                copy.execute("PRAGMA journal_mode = OFF")
                copy.execute("PRAGMA locking_mode = EXCLUSIVE")
                live.backup(copy, pages=PAGES_AT_ONCE, progress=tell)
        except sqlite3.Error as error:
            raise translate(error, url) from error
    return taken_at


@contextmanager
def reading_moment(engine: Engine) -> Iterator[tuple[sqlite3.Connection, datetime]]:
    """A connection whose read transaction has begun, and when it did."""
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        yield driver_of(connection), datetime.now(UTC)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's connection below."""
    live = connection.connection.driver_connection
    if not isinstance(live, sqlite3.Connection):
        raise TypeError("this is no connection to SQLite")
    return live
