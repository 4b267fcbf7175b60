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
from qadb.backends.values import LockHolder
from qadb.errors import LockNotAvailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from qadb.backends.values import ConnectionOptions
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
FIRST_WITH_TRANSACTION_TIMEOUT = (17,)

# Idle for as long as the operation lasts, and meant to be.
STAY_SQL = "SELECT set_config('idle_in_transaction_session_timeout', '0', true)"
STAY_LONG_SQL = ", set_config('transaction_timeout', '0', true)"

# A key of 64 bits shows in pg_locks as two halves of 32.
HOLDER_SQL = text("""
SELECT 'pid ' || a.pid || ' on ' || coalesce(a.client_hostname, host(a.client_addr), 'the server')
       || coalesce(', ' || nullif(a.application_name, ''), '')
       || ', for ' || round(extract(epoch FROM clock_timestamp() - a.xact_start)) || ' s'
FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32 | l.objid::bigint) = :key
LIMIT 1
""")


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
    engine = open_engine(url, options, read_only=False, pooled=False)
    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        try:
            connection = engine.connect()
            stack.callback(_release, connection)
            _acquire(connection, schema, wait_seconds, on_wait)
        except DBAPIError as error:
            raise translate(error, url) from error
        yield


def _release(connection: Connection) -> None:
    """End the lock's transaction; where that is gone already, what was done stays done."""
    try:
        connection.rollback()
    except DBAPIError:
        logger.warning("The connection that held the operations' lock broke before the end.")
    finally:
        connection.close()


def _acquire(
    connection: Connection,
    schema: Schema,
    wait_seconds: float,
    on_wait: Callable[[LockHolder], None],
) -> None:
    stay = stay_statement(connection)
    key = _lock_key(connection, schema)
    started = time.monotonic()
    while True:
        connection.exec_driver_sql(stay)
        if connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}):
            return
        description = connection.scalar(HOLDER_SQL, {"key": key}) or "an unnamed session"
        connection.rollback()
        holder = LockHolder(description, time.monotonic() - started)
        if holder.waited_seconds >= wait_seconds:
            raise LockNotAvailable(
                f"Another operation works on this database: {description}.",
                hint="Wait for it to finish, or allow more time with --wait-lock.",
            )
        on_wait(holder)
        time.sleep(min(POLL_SECONDS, wait_seconds - holder.waited_seconds))


def stay_statement(connection: Connection) -> str:
    """What lets the transaction that has just begun last, idle or not, as long as it takes."""
    version = connection.dialect.server_version_info or ()
    return STAY_SQL + (STAY_LONG_SQL if version >= FIRST_WITH_TRANSACTION_TIMEOUT else "")


def _lock_key(connection: Connection, schema: Schema) -> int:
    """A signed 64-bit key; advisory locks are already one space a database."""
    namespace = connection.scalar(text("SELECT current_schema()"))
    name = f"qadb:{namespace}:{schema.version_table}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big", signed=True)
