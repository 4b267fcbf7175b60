"""Has the planner learn of every table, on several sessions at once."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, TypeAlias

import psycopg2
from psycopg2 import sql

from qadb.backends.postgresql.connector import plain_connection
from qadb.backends.postgresql.restoring.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.settings import DatabaseUrl

Table: TypeAlias = sql.Identifier

logger = logging.getLogger(__name__)

# What a bare ANALYZE takes, partitions with the table that they are of; the largest first, so that
# no session is left with it at the end.
TABLES_SQL = """
SELECT n.nspname, c.relname,
  c.relkind <> 'm' AND n.nspname <> 'pg_catalog' AS has_all_rows
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_toast', 'information_schema')
ORDER BY pg_relation_size(c.oid) DESC
"""
# Of the role; the session is ours alone. In one transaction the locks on all partitions would stay.
FAILED_EXPRESSIONS = (psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.InternalError)
NO_LIMIT_SQL = "SET statement_timeout = 0"
DO_NOT_WAIT_SQL = "SET lock_timeout = '1ms'"
# Between tries: each for a table that is kept is an error in the server's log.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 30.0


class Analyzer:
    """Analyzes every table, once, of a database that nobody else is in.

    Args:
        url: the database.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self._url = url
        self._done: set[tuple[str, ...]] = set()

    def analyze_beside(self, work: Callable[[], None]) -> None:
        """Do some work, and analyze what it does not keep; the smallest tables first.

        Materialized views may still be empty then, and the catalog is not complete.

        Args:
            work: changes no rows.

        Raises:
            psycopg2.Error: the server refuses it.
        """
        is_done = Event()
        sessions = Sessions(self._url, 1)

        def analyze_free(connection: psycopg2.extensions.connection) -> None:
            with connection.cursor() as cursor:
                left = [table for table, has_all_rows in self._read(cursor) if has_all_rows][::-1]
                cursor.execute(NO_LIMIT_SQL)
                cursor.execute(DO_NOT_WAIT_SQL)
                pause = FIRST_PAUSE_SECONDS
                while left and not (is_done.is_set() or sessions.is_over.is_set()):
                    left = [each for each in left if not self._try(cursor, each, is_done)]
                    is_done.wait(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

        def do_work() -> None:
            try:
                work()
            finally:
                is_done.set()

        sessions.run(analyze_free, do_work)

    def analyze(self, count: int) -> None:
        """Analyze all that is left.

        Args:
            count: how many sessions.

        Raises:
            psycopg2.Error: the server refuses it.
        """
        with plain_connection(self._url) as connection, connection.cursor() as cursor:
            tables = deque(table for table, _ in self._read(cursor))

        def work(connection: psycopg2.extensions.connection) -> None:
            with connection.cursor() as cursor, suppress(IndexError):
                cursor.execute(NO_LIMIT_SQL)
                while True:
                    self._analyze_or_tell(cursor, tables.popleft())

        Sessions(self._url, count).run(work)

    def _read(self, cursor: psycopg2.extensions.cursor) -> list[tuple[Table, bool]]:
        """What is left; whether all rows are there already."""
        cursor.execute(TABLES_SQL)
        return [
            (sql.Identifier(*names), has_all_rows)
            for *names, has_all_rows in cursor.fetchall()
            if tuple(names) not in self._done
        ]

    def _try(self, cursor: psycopg2.extensions.cursor, table: Table, is_done: Event) -> bool:
        """Analyze one unless somebody keeps it; whether to leave it be until the end.

        What fails may do so only because a right is still to be given.
        """
        if is_done.is_set():
            return False
        try:
            self._analyze(cursor, table)
        except psycopg2.errors.LockNotAvailable:
            return False
        except FAILED_EXPRESSIONS:
            logger.debug("%s is analyzed in the end.", ".".join(table.strings))
        return True

    def _analyze_or_tell(self, cursor: psycopg2.extensions.cursor, table: Table) -> None:
        """Analyze one; where an index's own expression fails, it did where it came from, too."""
        try:
            self._analyze(cursor, table)
        except FAILED_EXPRESSIONS as error:
            reason = str(error).partition("\n")[0]
            logger.warning("The planner learnt nothing of %s: %s", ".".join(table.strings), reason)

    def _analyze(self, cursor: psycopg2.extensions.cursor, table: Table) -> None:
        cursor.execute(sql.SQL("ANALYZE {}").format(table))
        self._done.add(table.strings)
