"""Fills a migrated database with a hundred thousand rows a table, in seconds.

Rows come from one statement a table, while indexes are away and triggers and foreign keys are off;
all of them are back afterwards, and the planner's statistics are fresh.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg2

from qadb.models import metadata
from tests.plans.recipes import REFERENCE_ROWS, values_of
from tests.plans.words import WORDS
from tests.support.databases import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table

    Cursor = sqlite3.Cursor | psycopg2.extensions.cursor

SEEDED = {"countries", "test_types"}

_SQLITE_OBJECTS = (
    "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'index')"
    " AND sql IS NOT NULL ORDER BY rowid"
)
_POSTGRESQL_INDEXES = """
SELECT 'index', c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname LIKE 'idx\\_%'
"""


def fill(url: str, engine: str) -> None:
    """Load every table of a migrated database that nobody is connected to."""
    if engine == "sqlite":
        _fill_sqlite(url)
    else:
        _fill_postgresql(url)


def _fill_sqlite(url: str) -> None:
    """Load every table of a file and analyze."""
    with closing(sqlite3.connect(sqlite_file(url), isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")  # the test's own file: nothing to lose
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")  # PostgreSQL checks these rows
        cursor = connection.cursor()
        _fill(cursor, "sqlite", _SQLITE_OBJECTS)
        cursor.execute("INSERT INTO notes_search (notes_search) VALUES ('rebuild')")
        cursor.execute("ANALYZE")
        connection.execute("PRAGMA journal_mode = WAL")


def _fill_postgresql(url: str) -> None:
    """Load every table of a database and analyze."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        _fill(cursor, "postgresql", _POSTGRESQL_INDEXES)
        cursor.execute("ANALYZE")
        connection.commit()


def _fill(cursor: Cursor, engine: str, objects_query: str) -> None:
    with _without(cursor, objects_query):
        for table in metadata.sorted_tables:
            if table.name not in SEEDED:
                cursor.execute(_insert(table, engine))


@contextmanager
def _without(cursor: Cursor, objects_query: str) -> Iterator[None]:
    cursor.execute(objects_query)
    objects = cursor.fetchall()
    for kind, name, _sql in objects:
        cursor.execute(f"DROP {kind} {name}")
    yield
    for _kind, _name, sql in objects:
        cursor.execute(sql)


def _insert(table: Table, engine: str) -> str:
    words = WORDS[engine]
    values = values_of(table, words)
    rows = f"{words.numbers} SELECT {', '.join(values.values())} FROM numbers"
    if table.name in REFERENCE_ROWS:  # they have rows of the migrations' already
        rows += f" WHERE n <= {REFERENCE_ROWS[table.name]}"
        rows += f" AND n > (SELECT count(*) FROM {table.name})"
    return f"INSERT INTO {table.name} ({', '.join(values)}) {rows}"
