"""Every benchmark runs, once and at a tiny size; what it measures there means nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.run import NAMES
from tests.support.postgres_choice import LIST_VARIABLE, URL_VARIABLE

if TYPE_CHECKING:
    from tests.support.postgres_server import PostgresServer

CHECKOUT = Path(__file__).parents[1]
EXPECTED = {
    "startup": (
        r"qadb --help / alembic --help: .* s against .* s, ratio .* \(at most 0\.5\)",
        r"qadb status / import sqlalchemy\.orm: .* \(at most 1\.3\)",
    ),
    "migrating": (
        r"SQLite, from nothing to head: qadb init / alembic upgrade: .* \(at most 1\.2\)",
        r"SQLite, drift: .* s \(at most 0\.5\)",
        r"PostgreSQL \S+, from nothing to head: qadb init / alembic upgrade: .* \(at most 1\.2\)",
        r"PostgreSQL \S+, drift: .* s \(at most 2\)",
    ),
    "backing_up": (
        r"SQLite, \d+ MB: qadb backup / sqlite3 \.backup: .* \(at most 2\)",
        r"SQLite, \d+ MB: a backup is \d+% of it \(at most 25%\)",
        r"SQLite, \d+ MB: qadb backup --verify / sqlite3 \.backup: .* \(at most 2\.7\)",
        r"SQLite, \d+ MB: qadb backup beside a writer / alone: .* \(at most 1\.5\)",
        r"SQLite, \d+ MB: the writer waits \d+ ms at most \(at most 400\)",
        r"SQLite, \d+ MB: qadb restore of a day before / cp \+ fsync: .* \(at most 7\)",
        r"SQLite, \d+ MB: restore of .* takes \d+ MB of memory beside mapped files \(at most 150\)",
        r"SQLite, \d+ MB: qadb restore where all pages differ / cp \+ fsync: .* \(at most 7\)",
        r"SQLite, \d+ MB: restore where .* takes \d+ MB of memory beside .* \(at most 150\)",
        r"SQLite, \d+ MB: backup --verify takes \d+ MB of memory \(at most 150\)",
        r"PostgreSQL \S+, \d+ MB: qadb backup / pg_dump -Fc: .* \(at most 0\.3\)",
        r"PostgreSQL \S+, \d+ MB: a backup is .* times pg_dump's size \(at most 1\.25\)",
        r"PostgreSQL \S+, \d+ MB: qadb restore / pg_restore -j2: .* \(at most 1\)",
        r"PostgreSQL \S+, \d+ MB: restore takes \d+ MB of memory \(at most 150\)",
        r"PostgreSQL \S+, \d+ MB: backup --verify takes \d+ MB of memory \(at most 150\)",
    ),
    "checking": (
        r"SQLite, \d+ MB: health --only schema -?[\d.]+ s beyond start-up \(at most 0\.3\)",
        r"SQLite, \d+ MB: health -?[\d.]+ s beyond start-up, quick_check .* \(at most 1\.2 times\)",
        r"PostgreSQL \S+: health --only schema -?[\d.]+ s beyond start-up \(at most 0\.3\)",
        r"PostgreSQL \S+: health -?[\d.]+ s beyond start-up \(at most 1\)",
    ),
    "cleaning": (
        r"SQLite, half of 5000 results: qadb cleanup / one DELETE: .* \(at most 2\.2\)",
        r"SQLite, .*: a writer waits \d+ ms for the lock at most \(at most 30\), \d+ ms with .*",
        r"SQLite, .*: cleanup --fast / DELETE and VACUUM: .* \(at most 0\.8\)",
        r"SQLite, .*: cleanup takes \d+ MB of memory \(at most 150\)",
        r"SQLite, .*: .* s; the same beside three times as many that stay: .* s",
        r"PostgreSQL .*: qadb cleanup / one DELETE and VACUUM: .* \(at most 1\.1\)",
        r"PostgreSQL .*: a writer waits \d+ ms at most \(at most 20\)",
        r"PostgreSQL .*: .* s; the same beside three times as many that stay: .* s",
    ),
    "ingest_speed": (
        r"SQLite, 300 cases: qadb ingest / expat \+ executemany: .* \(at most 3\)",
        r"SQLite, 300 cases, all known: .* \(at most 4\)",
        r"PostgreSQL \S+, 300 cases: qadb ingest / expat \+ COPY: .* \(at most 3\)",
        r"PostgreSQL \S+, 300 cases, all known: .* \(at most 4\)",
    ),
    "ingest_memory": (
        r"ingest of 30 cases: \d+ MB \(at most 200\)",
        r"ingest of 300 cases: \d+ MB \(at most 200\)",
        r"ingest of one system-out of 1 MB: \d+ MB \(at most 150\)",
    ),
    "bulk_insert": (
        r"SQLite, 300 results: create_many / SQLAlchemy Core: .* \(at most 1\.3\)",
        r"PostgreSQL \S+, 300 results: create_many / COPY: .* \(at most 1\.5\)",
    ),
    "case_pages": (
        r"SQLite, list_tests of 50 out of 300 cases: .* ms \(at most 10\), .* alone .* ms",
        r"SQLite, .* list_tests / SQL by hand, the same objects: .* \(at most 1\.5\)",
        r"SQLite, .* a tenant's session / all tenants, filtered: .* \(at most 1\.05\)",
        r"PostgreSQL \S+, list_tests of 50 out of 300 cases: .* ms \(at most 10\), .* alone .* ms",
        r"PostgreSQL \S+, .* list_tests / SQL by hand, the same objects: .* \(at most 1\.5\)",
        r"PostgreSQL \S+, .* a tenant's session / all tenants, filtered: .* \(at most 1\.05\)",
    ),
}


def test_every_benchmark_is_known() -> None:
    assert tuple(EXPECTED) == NAMES


@pytest.mark.parametrize("name", EXPECTED)
def test_benchmark_runs_and_prints_its_lines(name: str, postgresql_server: PostgresServer) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/run.py", "--tiny", name],
        cwd=CHECKOUT,
        env={**os.environ, LIST_VARIABLE: "auto", URL_VARIABLE: postgresql_server.admin_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(EXPECTED[name]), done.stdout
    for line, pattern in zip(lines, EXPECTED[name], strict=True):
        assert re.fullmatch(pattern, line), line
