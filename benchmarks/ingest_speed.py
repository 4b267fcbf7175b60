"""Ingest of a large JUnit file against the least that it could cost on each engine.

The least is: parse the file with bare expat, then write the same rows with the driver alone, into
the same tables, in one transaction (``executemany`` on SQLite, COPY on PostgreSQL).
"""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

import psycopg2

from benchmarks.pairs import compare, run_process
from benchmarks.reports import write_cases
from tests.support.postgres_binaries import find_installations
from tests.support.postgres_server import start_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgres_server import PostgresServer

QADB = (sys.executable, "-m", "qadb")
TABLES = ("test_cases", "test_runs", "test_results")
LIMIT = 3.0


Rows = dict[str, tuple[list[str], list[tuple[object, ...]]]]


def run(*, tiny: bool) -> Iterator[str]:
    """Yield a line an engine."""
    count, rounds = (300, 1) if tiny else (300_000, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = folder / "report.xml"
        write_cases(report, count)
        yield _on_sqlite(folder, report, count, rounds)
        with start_server(find_installations()[0]) as server:
            yield _on_postgresql(server, report, count, rounds)


def _on_sqlite(folder: Path, report: Path, count: int, rounds: int) -> str:
    empty, file = folder / "empty.sqlite3", folder / "qa.sqlite3"
    _qadb(f"sqlite:///{empty}", "init")
    shutil.copy(empty, file)
    _qadb(f"sqlite:///{file}", "ingest", str(report))
    with closing(sqlite3.connect(file)) as connection:
        rows = _read_rows(connection.execute)

    def ours() -> None:
        shutil.copy(empty, file)
        _qadb(f"sqlite:///{file}", "ingest", str(report))

    def theirs() -> None:
        shutil.copy(empty, file)
        _parse(report)
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO applications (code, name) VALUES ('default', 'x')")
            for table, (columns, values) in rows.items():
                marks = ", ".join("?" * len(columns))
                sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
                connection.executemany(sql, values)
            connection.execute("COMMIT")

    return compare(
        f"SQLite, {count:,} cases: qadb ingest / expat + executemany",
        ours,
        theirs,
        limit=LIMIT,
        rounds=rounds,
    ).report()


def _on_postgresql(server: PostgresServer, report: Path, count: int, rounds: int) -> str:
    empty, filled = server.create_database(), server.create_database()
    _qadb(empty, "init")
    _qadb(filled, "init")
    _qadb(filled, "ingest", str(report))
    with closing(psycopg2.connect(filled)) as connection, connection.cursor() as cursor:

        def query(sql: str) -> object:
            cursor.execute(sql)
            return cursor

        copies = {
            table: (columns, _copy_out(cursor, table, columns))
            for table, (columns, _) in _read_rows(query).items()
        }

    def ours() -> None:
        url = server.create_database(template=empty)
        _qadb(url, "ingest", str(report))
        server.drop_database(url)

    def theirs() -> None:
        url = server.create_database(template=empty)
        _parse(report)
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO applications (code, name) VALUES ('default', 'x')")
            for table, (columns, data) in copies.items():
                data.seek(0)
                cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", data)
            connection.commit()
        server.drop_database(url)

    return compare(
        f"PostgreSQL {server.version}, {count:,} cases: qadb ingest / expat + COPY",
        ours,
        theirs,
        limit=LIMIT,
        rounds=rounds,
    ).report()


def _qadb(url: str, *arguments: str) -> None:
    environ = {**os.environ, "QADB_DATABASE_URL": url}
    run_process([*QADB, *arguments, "--quiet"], environ=environ)()


def _parse(report: Path) -> None:
    """The bare parser with the least handler that sees every case."""
    names: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _attributes: names.append(name)
    with report.open("rb") as file:
        parser.ParseFile(file)


def _read_rows(query: Callable[[str], object]) -> Rows:
    rows: Rows = {}
    for table in TABLES:
        cursor = query(f"SELECT * FROM {table}")
        columns = [entry[0] for entry in cursor.description]  # type: ignore[attr-defined]  # either driver's
        rows[table] = (columns, list(cursor))  # type: ignore[call-overload]  # either driver's
    return rows


def _copy_out(cursor: psycopg2.extensions.cursor, table: str, columns: list[str]) -> io.BytesIO:
    data = io.BytesIO()
    cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) TO STDOUT", data)
    return data
