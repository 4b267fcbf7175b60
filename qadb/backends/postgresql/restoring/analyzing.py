"""Has the planner learn of every table, on several sessions at once."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from psycopg2 import sql

from qadb.backends.postgresql.connector import plain_connection
from qadb.backends.postgresql.restoring.sessions import Sessions

if TYPE_CHECKING:
    import psycopg2

    from qadb.settings import DatabaseUrl

# What a bare ANALYZE takes; the largest first, so that no session is left with it at the end.
TABLES_SQL = """
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_toast', 'information_schema')
ORDER BY pg_relation_size(c.oid) DESC
"""
# Of the role. Not for longer than a transaction: a pooler's connection is another's after it.
NO_LIMIT_SQL = "SET LOCAL statement_timeout = 0"


def analyze(url: DatabaseUrl, count: int) -> None:
    """Analyze every table of a database that nobody else is in.

    Args:
        url: the database.
        count: how many sessions.

    Raises:
        psycopg2.Error: the server refuses it.
    """
    with plain_connection(url) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES_SQL)
        tables = deque(sql.Identifier(*names) for names in cursor.fetchall())

    def work(connection: psycopg2.extensions.connection) -> None:
        connection.autocommit = False
        with connection.cursor() as cursor, suppress(IndexError):
            while True:
                table = tables.popleft()
                cursor.execute(NO_LIMIT_SQL)
                cursor.execute(sql.SQL("ANALYZE {}").format(table))
                connection.commit()

    Sessions(url, count).run(work)
