"""Ingest of a large JUnit file against the least that it could cost on each engine.

The least is: parse the file with bare expat, then write the same rows with the driver alone, into
the same tables, in one transaction (``executemany`` on SQLite, COPY on PostgreSQL). Once with tests
that nobody has seen before, once with tests that are all known from an earlier run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

from benchmarks.pairs import compare, run_process
from benchmarks.places import PostgresqlPlace, SqlitePlace
from benchmarks.reports import write_cases
from benchmarks.servers import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Place, Rows

QADB = (sys.executable, "-m", "qadb")
LIMIT = 3.0
LIMIT_ALL_KNOWN = 4.0  # the least looks no test up

FIRST_RUN = {
    "applications": "SELECT * FROM applications",
    "test_cases": "SELECT * FROM test_cases",
    "test_runs": "SELECT * FROM test_runs",
    "test_results": "SELECT * FROM test_results",
}
SECOND_RUN = {
    "test_runs": "SELECT * FROM test_runs WHERE id > 1",
    "test_results": "SELECT * FROM test_results WHERE run_id > 1",
}


def run(*, tiny: bool) -> Iterator[str]:
    """Yield two lines an engine."""
    count, rounds = (300, 1) if tiny else (300_000, 5)
    with tempfile.TemporaryDirectory() as name:
        reports = [Path(name) / "first.xml", Path(name) / "second.xml"]
        for minute, report in enumerate(reports):
            write_cases(report, count, minute=minute)
        yield from _measure(SqlitePlace(Path(name)), reports, count, rounds)
        with running_server() as server:
            yield from _measure(PostgresqlPlace(server), reports, count, rounds)


def _measure(place: Place, reports: list[Path], count: int, rounds: int) -> Iterator[str]:
    first, second = reports
    empty = place.create()
    _qadb(empty, "init")
    known = place.create(empty)
    _qadb(known, "ingest", str(first))
    both = place.create(known)
    _qadb(both, "ingest", str(second))
    title = f"{place.name}, {count:,} cases"
    baseline = f"qadb ingest / expat + {place.fastest}"
    rows = place.read(known, FIRST_RUN)
    yield _compare(place, f"{title}: {baseline}", first, empty, rows, LIMIT, rounds)
    rows = place.read(both, SECOND_RUN)
    title = f"{title}, all known: {baseline}"
    yield _compare(place, title, second, known, rows, LIMIT_ALL_KNOWN, rounds)


def _compare(
    place: Place,
    title: str,
    report: Path,
    before: str,
    rows: Rows,
    limit: float,
    rounds: int,
) -> str:
    """Time the way from a report into a copy of a database: ours, and the least."""

    def ours() -> None:
        url = place.create(before)
        _qadb(url, "ingest", str(report))
        place.drop(url)

    def theirs() -> None:
        url = place.create(before)
        _parse(report)
        place.write(url, rows)
        place.drop(url)

    return compare(title, ours, theirs, limit=limit, rounds=rounds).report()


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
