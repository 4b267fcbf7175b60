"""Connections to SQLite files: opening, creating, recognising.

What the file system is asked for is in ``files``; the file itself is opened by SQLite alone.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from qadb.backends.failures import translate_refused_values, translate_refused_writes
from qadb.backends.sqlite.errors import translate
from qadb.backends.sqlite.files import (
    can_be_read_alone,
    has_content,
    has_empty_log,
    is_there,
    make_folder,
    resolve_file,
)
from qadb.errors import DatabaseAbsent, InsufficientPrivilege, QadbError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

    from qadb.backends.values import ConnectionOptions
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

BUSY_TIMEOUT_SECONDS = 30.0
PREPARE_POLL_SECONDS = 0.02

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
        if url.is_memory:
            return _connect_memory()
        return _connect_file(url, options.lock_wait_seconds, read_only=read_only)

    if url.is_memory:
        engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    elif pooled:
        engine = create_engine(
            "sqlite://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=options.pool_size,
            max_overflow=options.max_overflow,
            pool_timeout=options.pool_timeout_seconds,
            pool_recycle=options.pool_recycle_seconds,
        )
        event.listen(engine, "checkin", _let_go_if_frozen)
    else:
        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    engine.echo = options.echo
    translate_refused_values(engine)
    if read_only:
        translate_refused_writes(engine, _is_refused_write)
    # BEGIN by our own hand: Python's sqlite3 begins too late for DDL and for a read before a write.
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


class _FrozenConnection(sqlite3.Connection):
    """Takes the file for unchanging, so it must not outlive one use."""


def _let_go_if_frozen(connection: object, record: ConnectionPoolEntry) -> None:
    if isinstance(connection, _FrozenConnection):
        record.invalidate()


def _is_refused_write(error: BaseException) -> bool:
    """The longer names beginning so are of files and folders that can't be written."""
    return getattr(error, "sqlite_errorname", None) == "SQLITE_READONLY"


def database_exists(url: DatabaseUrl) -> bool:
    """Tell whether the file is there; a memory database always is."""
    return url.is_memory or is_there(resolve_file(url))


def create_database(url: DatabaseUrl) -> bool:
    """Create folders and an empty file in WAL mode with incremental vacuum.

    Raises:
        InsufficientPrivilege: the folder can't be made or written.
        NotADatabase: a folder has the file's name.
    """
    if url.is_memory:
        return False
    path = resolve_file(url)
    was_there = is_there(path)
    if was_there and (path.is_dir() or has_content(path)):
        return False
    make_folder(path.parent)
    try:
        return _prepare_file(path) and not was_there
    except sqlite3.Error as error:
        raise _cannot_create(path, error, url) from error


def _cannot_create(path: Path, error: sqlite3.Error, url: DatabaseUrl) -> QadbError:
    translated = translate(error, url)
    if not isinstance(translated, DatabaseAbsent):
        return translated
    return InsufficientPrivilege(
        f"{path} can't be created by this user.",
        hint="Check the owner and mode of its folder, or name another place in DATABASE_URL.",
    )


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
    with contextlib.suppress(sqlite3.Error, OSError, QadbError):
        path = resolve_file(url)
        if not has_empty_log(path) or not os.access(path, os.W_OK):
            return
        with contextlib.closing(_open(path, "rw", timeout_seconds=0.0)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _open(
    path: Path,
    mode: str,
    *,
    timeout_seconds: float | None = None,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        factory=factory,
        timeout=BUSY_TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
    )


def _connect_file(
    url: DatabaseUrl, lock_wait_seconds: float | None, *, read_only: bool
) -> sqlite3.Connection:
    path = resolve_file(url)
    if not read_only:
        return _configured(_open(path, "rw", timeout_seconds=lock_wait_seconds))
    try:
        return _configured(_open(path, "ro", timeout_seconds=lock_wait_seconds))
    except sqlite3.OperationalError as error:
        # In a folder that we can't write, WAL has no place for its sidecars.
        is_about_files = error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
        if is_about_files and can_be_read_alone(path):
            return _configured(_open(path, "ro&immutable=1", factory=_FrozenConnection))
        if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK" or not os.access(path, os.W_OK):
            raise
    _roll_back(path)
    return _configured(_open(path, "ro"))


def _roll_back(path: Path) -> None:
    """Let SQLite undo what a killed process left half-written; reading alone may not."""
    with contextlib.closing(_open(path, "rw")) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _connect_memory() -> sqlite3.Connection:
    return _configured(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))


def _configured(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA schema_version")  # reads the header: a wrong file fails here
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA case_sensitive_like = ON")  # as everywhere else
    except BaseException:
        connection.close()
        raise
    return connection


def _is_prepared(path: Path) -> bool:
    """Tell whether the file is in WAL mode; content alone may be another's half-done work."""
    try:
        with contextlib.closing(_open(path, "ro", timeout_seconds=0.0)) as connection:
            mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
    except sqlite3.OperationalError:
        return False
    return mode == "wal"


def _prepare_file(path: Path) -> bool:
    """Set the modes that lie in the file; False when another process was faster.

    Two that switch to WAL at once get in each other's way, whatever the busy timeout.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            with contextlib.closing(_open(path, "rwc", timeout_seconds=0.0)) as connection:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise
            if _is_prepared(path):
                return False
            if time.monotonic() >= deadline:
                raise
            time.sleep(PREPARE_POLL_SECONDS)
        else:
            return True
