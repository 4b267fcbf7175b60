"""Revisions on PostgreSQL: one transaction each, so that a retry resumes where it stopped."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

transaction_per_migration = True


@contextmanager
def connect(engine: Engine, *, lock_timeout_seconds: float) -> Iterator[Connection]:
    """Connect; every transaction on this connection waits a short time for a table's lock.

    The timeout is set as a transaction begins: a statement before that would begin a transaction
    that Alembic takes for the caller's own and never commits.
    """
    milliseconds = round(lock_timeout_seconds * 1000)

    def limit_waiting(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")

    event.listen(engine, "begin", limit_waiting)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        event.remove(engine, "begin", limit_waiting)
