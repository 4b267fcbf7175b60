"""Deleting beside writers on PostgreSQL, and giving space back."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import text

from qadb.backends.base_cleanup import Rhythm, Space
from qadb.backends.postgresql.context import context_settings
from qadb.backends.postgresql.driver import cancel, driver_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine, Select

    from qadb.backends.values import Actor

# Most of the time goes by in the server, on one of its processors for each session.
POLITE = Rhythm(
    first_rows=10_000,
    least_rows=1000,
    most_rows=10_000,
    batch_seconds=0.5,
    rest=0.0,
    sessions=2,
)
FAST = replace(POLITE, first_rows=100_000, least_rows=10_000, most_rows=200_000, batch_seconds=5.0)

MS_PER_SECOND = 1000
FIRST_WITH_FLUSH = (15,)

SIZES_SQL = text("""
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY (:tables)
""")

# As the log's own guard asks.
OWNS_SQL = text("""
SELECT pg_has_role(current_user, c.relowner, 'USAGE')
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = :table
""")

# Whoever else holds the table keeps it: nobody waits for a vacuum, nor it for anybody.
VACUUM_SQL = "VACUUM (ANALYZE, SKIP_LOCKED) {table}"


def rhythm(*, is_fast: bool) -> Rhythm:
    """Nobody waits for rows that are deleted; larger transactions spare some round trips."""
    return FAST if is_fast else POLITE


@contextlib.contextmanager
def connect(engine: Engine) -> Iterator[Connection]:
    """Nothing that outlives a transaction."""
    with engine.connect() as connection:
        yield connection


def limit_waiting(connection: Connection, seconds: float) -> None:
    """A transaction begins without waiting; what waits in it is limited as it begins."""
    del connection, seconds


def takes_log_of(connection: Connection, table: str) -> bool:
    """The guard lets the owner pass, and members of its role."""
    return bool(connection.scalar(OWNS_SQL, {"table": table}))


def locking(query: Select[object]) -> Select[object]:
    """Rows that somebody else is at are passed over."""
    return query.with_for_update(skip_locked=True)


def begin(
    connection: Connection,
    *,
    tenant: str | None,
    actor: Actor,
    lock_timeout_seconds: float,
    takes_log: bool,
) -> None:
    """State tenant, actor and purpose, and limit waiting; all of it ends with the transaction.

    What does not reach the disk before a crash of the server was deleted for nothing, no more.
    """
    settings = context_settings(tenant=tenant, actor=actor)
    settings["lock_timeout"] = f"{round(lock_timeout_seconds * MS_PER_SECOND)}ms"
    settings["synchronous_commit"] = "off"
    if takes_log:
        settings["qadb.audit_cleanup"] = "on"
    calls = ", ".join(["pg_catalog.set_config(%s, %s, true)"] * len(settings))
    parameters = tuple(word for setting in settings.items() for word in setting)
    connection.exec_driver_sql(f"SELECT {calls}", parameters)


def interrupt(connection: Connection) -> None:
    """Have the server cancel the statement, or the wait for a lock."""
    cancel(connection)


def rest(connection: Connection, seconds: float) -> None:
    """Just wait."""
    del connection
    if seconds > 0:
        time.sleep(seconds)


def reclaim(
    connection: Connection,
    tables: Sequence[str],
    *,
    is_fast: bool,
    time_left: Callable[[], float | None],
    notify: Callable[[str], None],
) -> Space:
    """Vacuum the tables: their room serves new rows, and empty ends of files go to the system."""
    del is_fast
    if not tables:
        return Space("none", 0)
    _count_deleted(connection)
    before = _size(connection, tables)
    is_complete = _vacuum(connection, tables, time_left, notify)
    freed = max(0, before - _size(connection, tables))
    explanation = (
        "PostgreSQL keeps the rest in the tables' files for new rows; only VACUUM FULL or pg_repack"
        " would give it to the system."
    )
    return Space("vacuum", freed, None, is_complete, explanation)


def _count_deleted(connection: Connection) -> None:
    """Have the server count what the session deleted before VACUUM, not as left by it."""
    if (connection.dialect.server_version_info or ()) >= FIRST_WITH_FLUSH:
        with connection.begin():
            connection.exec_driver_sql("SELECT pg_catalog.pg_stat_force_next_flush()")


def _vacuum(
    connection: Connection,
    tables: Sequence[str],
    time_left: Callable[[], float | None],
    notify: Callable[[str], None],
) -> bool:
    """False where time ran out."""
    quote = connection.dialect.identifier_preparer.quote
    driver = driver_of(connection)
    driver.autocommit = True
    try:
        for table in tables:
            left = time_left()
            if left is not None and left <= 0:
                return False
            with driver.cursor() as cursor:
                cursor.execute(VACUUM_SQL.format(table=quote(table)))
        return True
    finally:
        driver.autocommit = False
        for notice in driver.notices:
            notify(f"The server says: {' '.join(notice.split())}")


def _size(connection: Connection, tables: Sequence[str]) -> int:
    with connection.begin():
        return int(connection.scalar(SIZES_SQL, {"tables": list(tables)}) or 0)
