"""Revisions on PostgreSQL: one transaction each, so that a retry resumes where it stopped."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from qadb.backends.postgresql.blockers import BlockerWatch
from qadb.backends.postgresql.concurrent_indexes import building_anew
from qadb.errors import LockNotAvailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection, Engine

transaction_per_migration = True
backs_up_first = False

LOCK_TIMEOUT = "55P03"

LIMIT_WAITING_SQL = "SELECT set_config('lock_timeout', %s, true), pg_catalog.pg_backend_pid()"


@contextmanager
def connect(
    engine: Engine, *, lock_timeout_seconds: float, on_blocked: Callable[[str], None]
) -> Iterator[Connection]:
    """Connect; every transaction on this connection waits a short time for a table's lock.

    The timeout is set as a transaction begins: a statement before that would begin a transaction
    that Alembic takes for the caller's own and never commits. What runs in no transaction may wait:
    CREATE INDEX CONCURRENTLY holds nobody up meanwhile.
    """
    milliseconds = str(round(lock_timeout_seconds * 1000))
    watch = BlockerWatch(engine, on_blocked)

    def limit_waiting(connection: Connection) -> None:
        if connection is run:  # and not that of the watch
            row = connection.exec_driver_sql(LIMIT_WAITING_SQL, (milliseconds,)).one()
            watch.follow(row[1])

    event.listen(engine, "begin", limit_waiting)
    try:
        with engine.connect() as run, building_anew(engine), watch:
            yield run
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) == LOCK_TIMEOUT and watch.last_seen:
            raise LockNotAvailable(
                f"A table is in use by {watch.last_seen}",
                hint="Wait until that session has ended its transaction, or end it with: "
                f"SELECT pg_terminate_backend({watch.blocking_pid})",
            ) from error
        raise
    finally:
        event.remove(engine, "begin", limit_waiting)


def check_step(connection: Connection, revision: str, *, fewer_rows: AbstractSet[str]) -> None:
    """Nothing to check: no table is copied here, and foreign keys hold at every moment."""
    del connection, revision, fewer_rows
