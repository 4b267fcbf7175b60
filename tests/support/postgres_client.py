"""Small change of PostgreSQL tests: a URL for another database, and single statements.

Each statement has a connection of its own that is closed afterwards. They are for preparing and
checking; what a test is about goes through the code under test.
"""

from __future__ import annotations

from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql


def url_of_database(url: str, name: str) -> str:
    """Return the URL of another database on the same server, as libpq reads it: no driver."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"postgresql://{parts.netloc}/{name}{query}"


def execute(url: str, statement: str, *names: str) -> None:
    """Run a statement outside any transaction; each ``{}`` in it is replaced by a quoted name."""
    composed = sql.SQL(statement).format(*map(sql.Identifier, names)) if names else statement
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(composed)


def fetch_column(url: str, query: str) -> list[str]:
    """Return the first column of a query's rows as text."""
    with closing(psycopg2.connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return [str(row[0]) for row in cursor.fetchall()]
