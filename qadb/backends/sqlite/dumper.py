"""Writes a SQLite database out: the bytes of the file itself where it is frozen, else of a copy."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from qadb.backends.sqlite.checking import check_connection
from qadb.backends.sqlite.connector import open_engine, server_version
from qadb.backends.sqlite.copying import copy_moment, driver_of
from qadb.backends.sqlite.files import resolve_file
from qadb.backends.sqlite.frozen_file import freeze_file
from qadb.backends.sqlite.sizes import database_size
from qadb.backends.values import ConnectionOptions
from qadb.errors import StorageFull
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.backends.base_backups import ByteSink, ByteSource, OnBytes

CONTENT_NAME = "database.sqlite3"

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileMoment:
    """A moment of a SQLite database, as the bytes of a file.

    Attributes:
        read: gives all of the bytes, each time it is called.
        is_read: the file lies in memory; one that was not read is checked many times slower.
    """

    path: Path
    taken_at: datetime
    size_bytes: int
    connection: Connection
    details: Mapping[str, object]
    read: Callable[[], Iterator[bytes]]
    is_read: Event = field(default_factory=Event)
    content_name: str = CONTENT_NAME
    is_comparable: bool = True

    def write(self, sink: ByteSink, on_bytes: OnBytes, *, jobs: int) -> None:
        """Write the file's bytes."""
        del jobs
        done = 0
        for data in self.read():
            sink.write(data)
            done += len(data)
            on_bytes(done)
        self.is_read.set()

    def check(self) -> None:
        """Check the file's pages and keys, once it is read."""
        self.is_read.wait()
        check_connection(driver_of(self.connection), self.path, what="The database")

    def interrupt(self) -> None:
        """Let SQLite stop at its next step."""
        self.is_read.set()
        driver_of(self.connection).interrupt()

    def equals(self, content: ByteSource) -> bool:
        """Compare byte by byte."""
        return all(_begins_with(content, data) for data in self.read()) and not content.read(1)


def _begins_with(content: ByteSource, data: bytes) -> bool:
    done = 0
    while done < len(data):
        found = content.read(len(data) - done)
        if not found or not data.startswith(found, done):
            return False
        done += len(found)
    return True


@contextmanager
def freeze(
    url: DatabaseUrl, options: ConnectionOptions, *, folder: Path, on_bytes: OnBytes
) -> Iterator[FileMoment]:
    """Hold the file as it is while others write to its log, or else a copy in the folder.

    Raises:
        StorageFull: the folder has no room for a copy.
    """
    with ExitStack() as stack:
        frozen = stack.enter_context(freeze_file(url, options))
        if frozen is not None:
            size_bytes = database_size(frozen.connection)
            path, read = resolve_file(url), partial(frozen.read, size_bytes)
            moment = _describe(path, frozen.taken_at, frozen.connection, read)
            if frozen.is_in_memory():
                moment.is_read.set()
            yield moment
            return
        path = folder / CONTENT_NAME
        live = open_engine(url, options, read_only=True, pooled=False)
        _require_room(folder, _size_of(live.connect()))
        taken_at = copy_moment(live, path, on_bytes)
        copied = DatabaseUrl("sqlite", path=path)
        copy = open_engine(copied, ConnectionOptions(), read_only=True, pooled=False)
        connection = stack.enter_context(copy.connect())
        moment = _describe(path, taken_at, connection, partial(_read, path))
        moment.is_read.set()  # it was just written
        yield moment


def _describe(
    path: Path, taken_at: datetime, connection: Connection, read: Callable[[], Iterator[bytes]]
) -> FileMoment:
    page_size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    details = {"page_size": page_size, "library_version": server_version(connection)}
    return FileMoment(path, taken_at, database_size(connection), connection, details, read)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while data := file.read(_READ_BYTES):
            yield data


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
