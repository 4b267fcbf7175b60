"""Writes a SQLite database out: a copy of one moment, then the copy's bytes."""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.backends.sqlite.checking import check_connection, open_for_checking
from qadb.backends.sqlite.connector import open_engine, server_version
from qadb.backends.sqlite.copying import copy_moment, driver_of
from qadb.backends.sqlite.sizes import database_size
from qadb.backends.values import ConnectionOptions
from qadb.errors import StorageFull
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.backends.base_backups import ByteSink, ByteSource, OnBytes

CONTENT_NAME = "database.sqlite3"

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CopiedMoment:
    """A moment of a SQLite database, as a file of its own."""

    path: Path
    taken_at: datetime
    size_bytes: int
    connection: Connection
    details: Mapping[str, object]
    checker: sqlite3.Connection
    content_name: str = CONTENT_NAME
    is_comparable: bool = True

    def write(self, sink: ByteSink, on_bytes: OnBytes, *, jobs: int) -> None:
        """Write the copy's bytes."""
        del jobs
        done = 0
        with self.path.open("rb", buffering=0) as file:
            while data := file.read(_READ_BYTES):
                sink.write(data)
                done += len(data)
                on_bytes(done)

    def check(self) -> None:
        """Check the copy's pages and keys."""
        check_connection(self.checker, self.path, what="The database")

    def interrupt(self) -> None:
        """Let SQLite stop at its next step."""
        for connection in (driver_of(self.connection), self.checker):
            connection.interrupt()

    def equals(self, content: ByteSource) -> bool:
        """Compare byte by byte."""
        with self.path.open("rb") as file:
            while data := content.read(_READ_BYTES):
                if file.read(len(data)) != data:
                    return False
            return not file.read(1)


@contextmanager
def freeze(
    url: DatabaseUrl, options: ConnectionOptions, *, folder: Path, on_bytes: OnBytes
) -> Iterator[CopiedMoment]:
    """Copy the database into the folder; the live file is let go before anything is written out.

    Raises:
        StorageFull: the folder has no room for a copy.
    """
    path = folder / CONTENT_NAME
    live = open_engine(url, options, read_only=True, pooled=False)
    _require_room(folder, _size_of(live.connect()))
    taken_at = copy_moment(live, path, on_bytes)
    engine = open_engine(
        DatabaseUrl("sqlite", path=path), ConnectionOptions(), read_only=True, pooled=False
    )
    with engine.connect() as connection, closing(open_for_checking(path)) as checker:
        size_bytes = database_size(connection)
        page_size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        details = {"page_size": page_size, "library_version": server_version(connection)}
        yield CopiedMoment(path, taken_at, size_bytes, connection, details, checker)


def _size_of(connection: Connection) -> int:
    with connection:
        return database_size(connection)


def _require_room(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise StorageFull(
            f"A backup takes {size_bytes / 1e6:,.1f} MB in {folder.parent} for a moment, "
            f"and {free / 1e6:,.1f} MB are free.",
            hint="Free some space, or name another folder: qadb backup PATH",
        )
