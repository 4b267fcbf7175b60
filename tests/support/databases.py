"""Databases as tests see them: opened through qadb, and dumped by the engines' own tools."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import text

from qadb.database import Database
from qadb.settings.parsing import parse_database_url

if TYPE_CHECKING:
    from qadb.backends.catalog import Catalog
    from qadb.schema import Schema
    from tests.support.postgres_server import PostgresServer


def open_database(url: str, schema: Schema | None = None, *, connect_retries: int = 0) -> Database:
    """Make the database of a URL; the built-in schema unless another is given."""
    parsed = parse_database_url(url, source="the test", base_dir=Path.cwd())
    return Database(parsed, schema, connect_retries=connect_retries)


def execute(database: Database, *statements: str) -> None:
    """Run statements in one transaction."""
    with database.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def fetch_rows(database: Database, query: str) -> list[tuple[object, ...]]:
    """Return a query's rows."""
    with database.connect(read_only=True) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def live_catalog(database: Database) -> Catalog:
    """Read by the engine's reader, without the tool's own tables."""
    with database.connect(read_only=True) as connection:
        return database.backend.catalog.read_catalog(
            connection, ignore_tables=database.schema.own_tables
        )


def sqlite_file(url: str) -> Path:
    """The file of a SQLite URL."""
    return Path(url.removeprefix("sqlite:///"))


def dump(url: str, server: PostgresServer | None) -> list[str]:
    """Everything that a database holds, schema and rows, as the engine's own tool writes it."""
    if server is None:
        with closing(sqlite3.connect(sqlite_file(url))) as connection:
            return list(connection.iterdump())
    return _pg_dump(url, server)


def dump_schema(url: str, server: PostgresServer | None, *, leave_out: frozenset[str]) -> list[str]:
    """The schema alone, without the tables named, as the engine's own tool writes it."""
    if server is None:
        query = "SELECT tbl_name, type, name, sql FROM sqlite_master ORDER BY type, name"
        with closing(sqlite3.connect(sqlite_file(url))) as connection:
            rows = connection.execute(query).fetchall()
        return [" ".join(map(str, row[1:])) for row in rows if row[0] not in leave_out]
    return _pg_dump(url, server, "--schema-only", *(f"--exclude-table={x}" for x in leave_out))


def _pg_dump(url: str, server: PostgresServer, *options: str) -> list[str]:
    """Comments and the random words of newer versions are no content."""
    command = [str(server.program("pg_dump")), *options, "--dbname", url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    noise = ("--", "\\restrict", "\\unrestrict")
    return [line for line in done.stdout.splitlines() if line and not line.startswith(noise)]


def with_login(url: str, user: str, password: str) -> str:
    """The same PostgreSQL database for another role."""
    parts = urlsplit(url)
    return f"postgresql://{user}:{password}@{parts.hostname}:{parts.port}{parts.path}"
