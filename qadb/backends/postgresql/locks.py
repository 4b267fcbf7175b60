"""The operations' lock of a PostgreSQL database: a polled, transaction-level advisory lock.

It lies in an open transaction of a connection of its own, so it dies with its owner and survives
PgBouncer's transaction mode. Polling, because waiting inside the lock function would hold a
snapshot that stalls another session's ``CREATE INDEX CONCURRENTLY``.
"""

from __future__ import annotations

import contextlib
import logging
import time
from hashlib import blake2b
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from qadb.backends.postgresql.connector import open_engine
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.time_limits import FIRST_WITH_TRANSACTION_TIMEOUT
from qadb.backends.values import LockHolder
from qadb.errors import DatabaseAbsent, LockNotAvailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine

    from qadb.backends.values import ConnectionOptions
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
RENAMED = "a restore puts a database in its place"

# Idle for as long as the operation lasts, and meant to be.
STAY_SQL = "SELECT set_config('idle_in_transaction_session_timeout', '0', true)"
STAY_LONG_SQL = ", set_config('transaction_timeout', '0', true)"

# A key of 64 bits shows in pg_locks as two halves of 32; {place}: in which database it is.
_HOLDER = """
SELECT 'pid ' || a.pid || ' on ' || coalesce(a.client_hostname, host(a.client_addr), 'the server')
       || coalesce(', ' || nullif(a.application_name, ''), '')
       || ', for ' || round(extract(epoch FROM clock_timestamp() - a.xact_start)) || ' s'
FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database {place} (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32 | l.objid::bigint) = :key
LIMIT 1
"""
HOLDER_SQL = text(_HOLDER.format(place="="))
CLAIM_SQL = text(_HOLDER.format(place="<>"))


@contextlib.contextmanager
def exclusive(
    url: DatabaseUrl,
    schema: Schema,
    options: ConnectionOptions,
    *,
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
) -> Iterator[None]:
    """Hold the lock of database, namespace and version table.

    Raises:
        LockNotAvailable: somebody else still holds it after ``wait_seconds``.
    """
    with hold_operations(url, schema, options, wait_seconds=wait_seconds, on_wait=on_wait):
        yield


def hold_operations(
    url: DatabaseUrl,
    schema: Schema,
    options: ConnectionOptions,
    *,
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
    is_claimed: bool = False,
) -> AbstractContextManager[Connection]:
    """As `exclusive`, with the connection that has the lock.

    A restore has to let go of the lock right before it renames the database: whoever waits gives
    way to its claim as well, but for the restore itself (``is_claimed``).
    """

    def find_key(connection: Connection) -> int:
        return _lock_key(connection, schema)

    def find_claim(connection: Connection) -> str | None:
        name = connection.scalar(text("SELECT current_database()"))
        holder: str | None = connection.scalar(CLAIM_SQL, {"key": claim_key(str(name))})
        return holder

    gives_way = None if is_claimed else find_claim
    return hold(url, options, find_key, wait_seconds, on_wait, find_other=gives_way)


@contextlib.contextmanager
def hold(
    url: DatabaseUrl,
    options: ConnectionOptions,
    key_of: Callable[[Connection], int],
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
    *,
    find_other: Callable[[Connection], str | None] | None = None,
) -> Iterator[Connection]:
    """Hold a lock of the URL's database; its connection is in the transaction that has it.

    ``find_other`` describes who else is in the way.

    Raises:
        LockNotAvailable: somebody else still holds it after ``wait_seconds``.
    """
    engine = open_engine(url, options, read_only=False, pooled=False)
    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        try:
            connection = _acquire(
                engine, url, lambda held: _try(held, key_of, find_other), wait_seconds, on_wait
            )
        except DBAPIError as error:
            raise translate(error, url) from error
        stack.push(lambda kind, *_: _release(connection, has_failed=kind is not None))
        yield connection


def _release(connection: Connection, *, has_failed: bool) -> None:
    """End the lock's transaction; where that is gone already, what was done stays done.

    Where the work has failed anyway, such as by a server that is gone, that is what is told.
    """
    try:
        connection.rollback()
    except DBAPIError:
        level = logging.DEBUG if has_failed else logging.WARNING
        logger.log(level, "The connection that held the operations' lock broke before the end.")
    finally:
        connection.close()


def _acquire(
    engine: Engine,
    url: DatabaseUrl,
    attempt: Callable[[Connection], str | None],
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
) -> Connection:
    """Try until the lock is had; between two attempts nothing is connected.

    A connection that merely waits would keep others from renaming the database.
    """
    started = time.monotonic()
    holder = None
    while True:
        connection = _connect_again(engine, url) if holder else engine.connect()
        description = RENAMED if connection is None else attempt(connection)
        if connection is not None and description is None:
            return connection
        holder = LockHolder(description or "", time.monotonic() - started)
        if holder.waited_seconds >= wait_seconds:
            raise LockNotAvailable(
                f"Another operation works on this database: {description}.",
                hint="Wait for it to finish, or allow more time with --wait-lock.",
            )
        on_wait(holder)
        time.sleep(min(POLL_SECONDS, wait_seconds - holder.waited_seconds))


def _connect_again(engine: Engine, url: DatabaseUrl) -> Connection | None:
    """Connect; None while the database has another name, since a restore renames it in passing."""
    try:
        return engine.connect()
    except DBAPIError as error:
        if isinstance(translate(error, url), DatabaseAbsent):
            return None
        raise


def _try(
    connection: Connection,
    key_of: Callable[[Connection], int],
    find_other: Callable[[Connection], str | None] | None,
) -> str | None:
    """Take the lock, or tell who has it and disconnect."""
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        other = find_other(connection) if find_other else None
        if other is not None:
            return other
        key = key_of(connection)
        connection.exec_driver_sql(stay_statement(connection))
        if connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}):
            stack.pop_all()
            return None
        return connection.scalar(HOLDER_SQL, {"key": key}) or "an unnamed session"


def stay_statement(connection: Connection) -> str:
    """What lets the transaction that has just begun last, idle or not, as long as it takes."""
    version = connection.dialect.server_version_info or ()
    is_limited = version >= (FIRST_WITH_TRANSACTION_TIMEOUT,)
    return STAY_SQL + (STAY_LONG_SQL if is_limited else "")


def _lock_key(connection: Connection, schema: Schema) -> int:
    """A signed 64-bit key; advisory locks are already one space a database."""
    namespace = connection.scalar(text("SELECT current_schema()"))
    return key_of_name(f"qadb:{namespace}:{schema.version_table}")


def claim_key(name: str) -> int:
    """The key of a restore's claim on a database, in the database that it is made from."""
    return key_of_name(f"qadb:restore:{name}")


def key_of_name(name: str) -> int:
    """A name as an advisory lock's key."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
