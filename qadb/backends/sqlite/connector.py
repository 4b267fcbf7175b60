"""Connections to SQLite files: opening, creating, recognising.

The file itself is never opened by hand: closing such a handle would drop the POSIX locks of every
SQLite connection in this process (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from qadb.backends.sqlite.errors import translate
from qadb.errors import InsufficientPrivilege, QadbError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from qadb.backends.base import ConnectionOptions
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

BUSY_TIMEOUT_SECONDS = 30.0

TABLES_SQL = """
SELECT name FROM sqlite_master
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""


def open_engine(
    url: DatabaseUrl, options: ConnectionOptions, *, read_only: bool, pooled: bool
) -> Engine:
    """Make an engine on an existing file; sessions begin IMMEDIATE unless read-only.

    In-memory databases live as long as the engine and are always writable.
    """

    def connect() -> sqlite3.Connection:
        return _connect_memory() if url.is_memory else _connect_file(url, read_only=read_only)

    if url.is_memory:
        engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    elif pooled and not read_only:
        engine = create_engine(
            "sqlite://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=options.pool_size,
            max_overflow=options.max_overflow,
            pool_timeout=options.pool_timeout_seconds,
            pool_recycle=options.pool_recycle_seconds,
        )
    else:
        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    engine.echo = options.echo
    # BEGIN by our own hand: Python's sqlite3 begins too late for DDL and for a read before a write.
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def database_exists(url: DatabaseUrl) -> bool:
    """Tell whether the file is there; a memory database always is."""
    return url.is_memory or _file(url).exists()


def create_database(url: DatabaseUrl) -> bool:
    """Create folders and an empty file in WAL mode with incremental vacuum.

    Raises:
        InsufficientPrivilege: the folder can't be made or written.
    """
    if url.is_memory:
        return False
    path = _file(url)
    was_there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InsufficientPrivilege(
            f"The folder {path.parent} can't be made: {error.strerror}.",
            hint="Make it by hand or name another place in DATABASE_URL.",
        ) from error
    if was_there and path.stat().st_size > 0:
        return False
    try:
        _prepare_file(path)
    except sqlite3.Error as error:
        raise translate(error, url) from error
    return not was_there


def list_tables(connection: Connection) -> frozenset[str]:
    """Names of the file's tables and views."""
    return frozenset(connection.exec_driver_sql(TABLES_SQL).scalars())


def is_marked_as_foreign(connection: Connection, schema: Schema) -> bool:
    """Tell whether another application's id stands in the file's header."""
    found = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    return found not in (0, schema.application_id)


def mark_as_own(connection: Connection, schema: Schema) -> None:
    """Write our application id into the file's header, with the transaction."""
    connection.exec_driver_sql(f"PRAGMA application_id = {schema.application_id}")


def server_version(connection: Connection) -> str:
    """The version of the SQLite library in this process."""
    version: str = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
    return version


def user_name(connection: Connection) -> str:
    """The system's user: a file knows no roles."""
    del connection
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def tidy(url: DatabaseUrl) -> None:
    """Let SQLite remove an empty -wal and its -shm, which read-only connections leave behind.

    A writable connection does so when it is the last one to close; it changes no byte of the file.
    """
    if url.is_memory:
        return
    path = _file(url)
    wal = path.with_name(path.name + "-wal")
    if not wal.exists() or wal.stat().st_size > 0 or not os.access(path, os.W_OK):
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_open(path, "rw")) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _file(url: DatabaseUrl) -> Path:
    if url.path is None:
        raise QadbError("This SQLite URL names no file.")
    return url.path


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?{mode if '=' in mode else f'mode={mode}'}"
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _connect_file(url: DatabaseUrl, *, read_only: bool) -> sqlite3.Connection:
    path = _file(url)
    if not read_only:
        return _configured(_open(path, "rw"))
    try:
        return _configured(_open(path, "ro"))
    except sqlite3.OperationalError:
        # In a folder we can't write, WAL has no place for its sidecars; with no log there is
        # nothing that reading the file alone could miss.
        wal = path.with_name(path.name + "-wal")
        if path.is_file() and not wal.exists() and not os.access(path.parent, os.W_OK):
            return _configured(_open(path, "mode=ro&immutable=1"))
        raise


def _connect_memory() -> sqlite3.Connection:
    return _configured(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))


def _configured(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA schema_version")  # reads the header: a wrong file fails here
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare_file(path: Path) -> None:
    with contextlib.closing(_open(path, "rwc")) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only before the first table
        connection.execute("PRAGMA journal_mode = WAL")
