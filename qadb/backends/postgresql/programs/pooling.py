"""Tells whether a session at the server is ours alone: PostgreSQL's programs take that for granted.

They set what they need for the session. A pooler that shares its connections between transactions
hands such settings on to others, who then find no table any more, and to the next of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.backends.postgresql.connector import plain_connection
from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    import psycopg2

    from qadb.settings import DatabaseUrl

ATTEMPTS = 3
PID_SQL = "SELECT pg_catalog.pg_backend_pid()"


def require_own_session(connection: psycopg2.extensions.connection, url: DatabaseUrl) -> None:
    """Return where a connection is a session of its own, with or without a pooler in between.

    Args:
        connection: an open one.
        url: the same database, for others beside it.

    Raises:
        ConfigurationError: a pooler shares its connections.
    """
    if _ask_pid(connection) != connection.info.backend_pid and _is_shared(url):
        raise ConfigurationError(
            "A pooler shares its connections to the server, where what pg_dump and pg_restore set "
            "would stay for others.",
            hint="For backups and restores, name the server itself in QADB_DATABASE_URL, or a "
            "pooler in session mode.",
        )


def _is_shared(url: DatabaseUrl) -> bool:
    """Look whether a connection gets another session when a transaction takes the one it had."""
    with plain_connection(url) as connection:
        before = _ask_pid(connection)
        for _ in range(ATTEMPTS):
            with plain_connection(url) as other:
                other.autocommit = False
                taken = _ask_pid(other)
                if taken == before or _ask_pid(connection) != before:
                    return True
                other.rollback()
    return False


def _ask_pid(connection: psycopg2.extensions.connection) -> int:
    """Ask the server for its process; a pooler has told the driver another number."""
    with connection.cursor() as cursor:
        cursor.execute(PID_SQL)
        (pid,) = cursor.fetchone() or (0,)
        return int(pid)
