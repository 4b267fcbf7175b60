"""Many results by a repository, against what each engine has for many rows.

On SQLite that is SQLAlchemy Core's own bulk insert, on PostgreSQL a COPY of the rows through the
driver. Both get the same dictionaries, made beforehand, over connections that are open, and both
commit; each writes into a database of its own, each time into the next run.
"""

from __future__ import annotations

import csv
import io
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count as numbers
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from sqlalchemy import insert

from benchmarks.pairs import compare
from benchmarks.places import PostgresqlPlace, SqlitePlace
from benchmarks.servers import running_server
from benchmarks.tenants import TENANT, make_database
from qadb.models import TestResult
from qadb.repositories.generic.tables import table_of
from qadb.repositories.test_results import TestResultRepository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as DriverConnection  # noqa: N812 - it is a class

    from qadb.database import Database

    Row = dict[str, object]

LIMIT_OF_CORE = 1.3
LIMIT_OF_COPY = 1.5
FAILING_EVERY = 50


def run(*, tiny: bool) -> Iterator[str]:
    """Yield a line an engine."""
    yield from measure(*(300, 1) if tiny else (100_000, 7))


def measure(count: int, rounds: int) -> Iterator[str]:
    """Yield a line an engine for this many rows."""
    with tempfile.TemporaryDirectory() as name:
        yield _against_core(SqlitePlace(Path(name)), count, rounds)
    with running_server() as server:
        yield _against_copy(PostgresqlPlace(server), count, rounds)


def _against_core(place: SqlitePlace, count: int, rounds: int) -> str:
    rows = _rows(count)
    runs = 2 * rounds + 2
    with (
        make_database(place.create(), cases=count, runs=runs) as ours,
        make_database(place.create(), cases=count, runs=runs) as theirs,
    ):
        return compare(
            f"{place.name}, {count:,} results: create_many / SQLAlchemy Core",
            lambda: _create_many(ours, rows),
            lambda: _insert_by_core(theirs, rows),
            limit=LIMIT_OF_CORE,
            rounds=rounds,
            before=_NextRun(rows),
        ).report()


def _against_copy(place: PostgresqlPlace, count: int, rounds: int) -> str:
    rows = _rows(count)
    runs = 2 * rounds + 2
    url = place.create()
    with (
        make_database(place.create(), cases=count, runs=runs) as ours,
        make_database(url, cases=count, runs=runs),
        closing(psycopg2.connect(url)) as connection,
    ):
        return compare(
            f"{place.name}, {count:,} results: create_many / COPY",
            lambda: _create_many(ours, rows),
            lambda: _copy(connection, rows),
            limit=LIMIT_OF_COPY,
            rounds=rounds,
            before=_NextRun(rows),
        ).report()


def _rows(count: int) -> list[Row]:
    """Results of as many tests, 2 % failed."""
    started_at = datetime(2026, 11, 22, 7, 15, tzinfo=UTC)
    return [
        {
            "run_id": 0,
            "test_case_id": 1 + number,
            "tenant_id": TENANT,
            "status": "passed" if number % FAILING_EVERY else "failed",
            "duration_ms": Decimal(number * 7919 % 60_000) / 1000,
            "executed_at": started_at + timedelta(milliseconds=number),
            "error_type": None if number % FAILING_EVERY else "AssertionError",
            "message": None if number % FAILING_EVERY else f"assert {number} == {number + 1}",
            "signature": None if number % FAILING_EVERY else f"{number % 97:064x}",
        }
        for number in range(count)
    ]


class _NextRun:
    """Moves the rows into the next run."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self._numbers = numbers(1)

    def __call__(self) -> None:
        run_id = next(self._numbers)
        for row in self._rows:
            row["run_id"] = run_id


def _create_many(database: Database, rows: list[Row]) -> None:
    with database.session(tenant=TENANT) as session:
        TestResultRepository(session).create_many(rows)


def _insert_by_core(database: Database, rows: list[Row]) -> None:
    with database.engine().begin() as connection:
        connection.execute(insert(table_of(TestResult)), rows)


def _copy(connection: DriverConnection, rows: list[Row]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(row.values() for row in rows)
    text.seek(0)
    with connection.cursor() as cursor:
        columns = ", ".join(rows[0])
        cursor.copy_expert(f"COPY test_results ({columns}) FROM STDIN WITH (FORMAT csv)", text)
    connection.commit()
