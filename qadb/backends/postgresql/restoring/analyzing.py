"""Has the planner learn of every table, on several sessions at once."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from qadb.backends.postgresql.connector import plain_connection
from qadb.backends.postgresql.restoring.sessions import Sessions

if TYPE_CHECKING:
    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)

# What a bare ANALYZE takes, partitions with the table that they are of; the largest first, so that
# no session is left with it at the end.
TABLES_SQL = """
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_toast', 'information_schema')
ORDER BY pg_relation_size(c.oid) DESC
"""
# Of the role; the session is ours alone. In one transaction the locks on all partitions would stay.
FAILED_EXPRESSIONS = (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.InternalError)
NO_LIMIT_SQL = "SET statement_timeout = 0"


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
        with connection.cursor() as cursor, suppress(IndexError):
            cursor.execute(NO_LIMIT_SQL)
            while True:
                _analyze(cursor, tables.popleft())

    Sessions(url, count).run(work)


def _analyze(cursor: psycopg2.extensions.cursor, table: sql.Identifier) -> None:
    """Analyze one table; where an index's own expression fails, it did where it came from, too."""
    try:
        cursor.execute(sql.SQL("ANALYZE {}").format(table))
    except FAILED_EXPRESSIONS as error:
        reason = str(error).partition("\n")[0]
        logger.warning("The planner learnt nothing of %s: %s", ".".join(table.strings), reason)
