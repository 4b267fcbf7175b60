"""Where a benchmark's databases are, and the fastest way to read and write them without qadb."""

from __future__ import annotations

import io
import itertools
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg2

if TYPE_CHECKING:
    from tests.support.postgres_server import PostgresServer

Rows = dict[str, tuple[list[str], object]]
"""For each table its columns, and the rows in whatever form is quickest to write."""


class Place(Protocol):
    """One engine's databases."""

    name: str
    fastest: str

    def create(self, template: str | None = None) -> str:
        """Make a database, empty or a copy; returns its URL."""
        ...

    def drop(self, url: str) -> None:
        """Remove a database."""
        ...

    def read(self, url: str, queries: dict[str, str]) -> Rows:
        """Read the rows of each table."""
        ...

    def write(self, url: str, rows: Rows) -> None:
        """Write rows in one transaction."""
        ...


class SqlitePlace:
    """Files in a folder."""

    name = "SQLite"
    fastest = "executemany"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def create(self, template: str | None = None) -> str:
        """Make a file, empty or a copy."""
        path = self._folder / f"{next(self._numbers)}.sqlite3"
        if template is not None:
            shutil.copy(_file(template), path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        """Remove the file and what lies beside it."""
        for path in self._folder.glob(f"{_file(url).name}*"):
            path.unlink()

    def read(self, url: str, queries: dict[str, str]) -> Rows:
        """Read tuples."""
        rows: Rows = {}
        with closing(sqlite3.connect(_file(url))) as connection:
            for table, query in queries.items():
                cursor = connection.execute(query)
                rows[table] = ([entry[0] for entry in cursor.description], cursor.fetchall())
        return rows

    def write(self, url: str, rows: Rows) -> None:
        """Write by one prepared statement a table."""
        with closing(sqlite3.connect(_file(url), isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            for table, (columns, values) in rows.items():
                marks = ", ".join("?" * len(columns))
                sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
                connection.executemany(sql, values)  # type: ignore[arg-type]  # what read() gave
            connection.execute("COMMIT")


class PostgresqlPlace:
    """Databases on a server of our own."""

    fastest = "COPY"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.name = f"PostgreSQL {server.version}"

    def create(self, template: str | None = None) -> str:
        """Make a database, empty or from a template."""
        return self._server.create_database(template=template)

    def drop(self, url: str) -> None:
        """Drop it, whoever is connected."""
        self._server.drop_database(url)

    def read(self, url: str, queries: dict[str, str]) -> Rows:
        """Read in the form that COPY writes."""
        rows: Rows = {}
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            for table, query in queries.items():
                cursor.execute(f"{query} LIMIT 0")
                columns = [entry[0] for entry in cursor.description or ()]
                data = io.BytesIO()
                cursor.copy_expert(f"COPY ({query}) TO STDOUT", data)
                rows[table] = (columns, data.getvalue())
        return rows

    def write(self, url: str, rows: Rows) -> None:
        """Write by one COPY a table."""
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            for table, (columns, data) in rows.items():
                statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
                cursor.copy_expert(statement, io.BytesIO(data))  # type: ignore[arg-type]  # what read() gave
            connection.commit()


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))
