"""Cleaning up half of many results beside a writer, and one single DELETE of the same rows.

As whole processes. With ``--fast`` it is against DELETE and VACUUM on SQLite, without one. The
tables are filled by the engines themselves; what is cleaned up is a copy of that each time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from benchmarks.pairs import compare, peak_megabytes, run_process
from benchmarks.servers import running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgres_server import PostgresServer

CHECKOUT = Path(__file__).resolve().parent.parent
RESULTS = int(os.environ.get("QADB_BENCHMARK_RESULTS", "5000000"))
ROUNDS = int(os.environ.get("QADB_BENCHMARK_ROUNDS", "3"))
TINY_RESULTS = 5000
RESULTS_A_RUN = 50
SUITES = 10  # each run is one of them, of as many tests
WRITER_PAUSE_SECONDS = 0.005

# {old}: the condition of runs that go. Runs of the first half are 300 days old.
DELETES = (
    "DELETE FROM failure_analyses WHERE run_id IN (SELECT id FROM test_runs WHERE {old})",
    "DELETE FROM test_results WHERE run_id IN (SELECT id FROM test_runs WHERE {old})",
    "DELETE FROM test_runs WHERE {old}",
)
NEWEST = 10_000_000

FILL_SQLITE = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {cases})
INSERT INTO test_cases (id, case_key, name) SELECT i, 'case ' || i, 'case ' || i FROM n;
INSERT INTO applications (id, code, name) VALUES (1, 'shop', 'Shop');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {runs})
INSERT INTO test_runs (id, run_key, application_id, started_at, total, passed)
  SELECT i, 'run ' || i, 1, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now',
    CASE WHEN i <= {runs} / {share} THEN '-300 days' ELSE '-1 days' END), {each}, {each} FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {each} - 1)
INSERT INTO test_results (run_id, test_case_id, status, duration_ms, executed_at)
  SELECT r.id, 1 + r.id % {suites} * {each} + n.i, 'passed', n.i, r.started_at
  FROM test_runs AS r, n ORDER BY 1, 2;
"""
FILL_POSTGRESQL = """
INSERT INTO test_cases (id, case_key, name)
  SELECT i, 'case ' || i, 'case ' || i FROM generate_series(1, {cases}) AS i;
INSERT INTO applications (id, code, name) VALUES (1, 'shop', 'Shop');
INSERT INTO test_runs (id, run_key, application_id, started_at, total, passed)
  SELECT i, 'run ' || i, 1, now() - CASE WHEN i <= {runs} / {share} THEN 300 ELSE 1 END
    * interval '1 day', {each}, {each} FROM generate_series(1, {runs}) AS i;
INSERT INTO test_results (run_id, test_case_id, status, duration_ms, executed_at)
  SELECT r.id, 1 + r.id % {suites} * {each} + i, 'passed', i, r.started_at
  FROM test_runs AS r, generate_series(0, {each} - 1) AS i ORDER BY 1, 2;
"""


def run(*, tiny: bool) -> Iterator[str]:
    """Yield a line a comparison."""
    results, rounds = (TINY_RESULTS, 1) if tiny else (RESULTS, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        yield from _Sqlite(Path(folder), results, rounds).run()
    with running_server() as server:
        yield from _Postgresql(server, results, rounds).run()


def _sizes(results: int, share: int) -> dict[str, int]:
    runs = results // RESULTS_A_RUN
    return {
        "cases": SUITES * RESULTS_A_RUN,
        "suites": SUITES,
        "runs": runs,
        "each": RESULTS_A_RUN,
        "share": share,
    }


def _clean(url: str, *options: str) -> list[str]:
    """The command, for a process of its own."""
    words = ("--database-url", url, "--yes", "--quiet", *options)
    return [sys.executable, "-m", "qadb", "cleanup", *words]


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}


def _beside_more(about: str, few: float, more: float) -> str:
    return f"{about}: {few:.1f} s; the same beside three times as many that stay: {more:.1f} s"


class _Writer:
    """Adds a run with a result every few milliseconds.

    Attributes:
        waits: seconds of each transaction, with its own commit.
    """

    def __init__(self, write: Callable[[int], None]) -> None:
        self._write = write
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self.waits: list[float] = []

    def __enter__(self) -> _Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        self._thread.join()

    def _go_on(self) -> None:
        number = NEWEST
        while not self._has_ended.is_set():
            number += 1
            started = time.perf_counter()
            self._write(number)
            self.waits.append(time.perf_counter() - started)
            time.sleep(WRITER_PAUSE_SECONDS)


ADD_RUN = "INSERT INTO test_runs (id, run_key, application_id) VALUES ({n}, 'w{n}', 1)"
ADD_RESULT = "INSERT INTO test_results (run_id, test_case_id, status) VALUES ({n}, 1, 'passed')"


class _Sqlite:
    def __init__(self, folder: Path, results: int, rounds: int) -> None:
        self._folder, self._results, self._rounds = folder, results, rounds
        self._file = folder / "copy.sqlite3"
        self._longest: list[float] = []
        self._longest_for_lock: list[float] = []
        self._waits_for_lock: list[float] = []

    def run(self) -> Iterator[str]:
        self._full = self._fill("full.sqlite3", self._results, 2)
        about = f"SQLite, half of {self._results} results"
        yield self._compare(f"{about}: qadb cleanup / one DELETE", self._polite, 2.2)
        longest = statistics.median(self._longest) * 1000
        for_lock = statistics.median(self._longest_for_lock) * 1000
        yield (
            f"{about}: a writer waits {for_lock:.0f} ms for the lock at most (at most 30),"
            f" {longest:.0f} ms with its own commit"
        )
        yield self._compare(f"{about}: cleanup --fast / DELETE and VACUUM", self._fast, 0.8, True)
        self._start_anew()
        url = f"sqlite:///{self._file}"
        peak = peak_megabytes(_clean(url), environ=_environ())
        yield f"{about}: cleanup takes {peak} MB of memory (at most 150)"
        few = self._seconds()
        self._full.unlink()
        self._full = self._fill("more.sqlite3", self._results * 2, 4)
        yield _beside_more(about, few, self._seconds())

    def _fill(self, name: str, results: int, share: int) -> Path:
        path = self._folder / name
        command = [sys.executable, "-m", "qadb", "init", "--quiet"]
        run_process([*command, "--database-url", f"sqlite:///{path}"], environ=_environ())()
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(
                f"BEGIN; {FILL_SQLITE.format(**_sizes(results, share))} COMMIT;"
            )
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path

    def _start_anew(self) -> None:
        for path in self._folder.glob(f"{self._file.name}*"):
            path.unlink()
        shutil.copyfile(self._full, self._file)
        with self._file.open("rb") as copy:
            os.fsync(copy.fileno())  # else the first commit waits for all of it

    def _compare(
        self, name: str, ours: Callable[[], object], limit: float, vacuums: bool = False
    ) -> str:
        def theirs() -> None:
            beside = contextlib.nullcontext() if vacuums else self._writing()
            with (
                beside,
                closing(
                    sqlite3.connect(self._file, timeout=60, isolation_level=None)
                ) as connection,
            ):
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("BEGIN IMMEDIATE")
                old = "started_at < strftime('%Y-%m-%d', 'now', '-180 days')"
                for statement in DELETES:
                    connection.execute(statement.format(old=old))
                connection.execute("COMMIT")
                if vacuums:
                    connection.execute("VACUUM")

        return compare(
            name, ours, theirs, limit=limit, rounds=self._rounds, before=self._start_anew
        ).report()

    def _polite(self) -> None:
        with self._writing() as writer:
            run_process(_clean(f"sqlite:///{self._file}"), environ=_environ())()
        self._longest.append(max(writer.waits))
        self._longest_for_lock.append(max(self._waits_for_lock))

    @contextmanager
    def _writing(self) -> Iterator[_Writer]:
        self._waits_for_lock = []
        with closing(
            sqlite3.connect(self._file, timeout=60, isolation_level=None, check_same_thread=False)
        ) as connection:

            def write(number: int) -> None:
                started = time.perf_counter()
                connection.execute("BEGIN IMMEDIATE")
                self._waits_for_lock.append(time.perf_counter() - started)
                connection.execute(ADD_RUN.format(n=number))
                connection.execute(ADD_RESULT.format(n=number))
                connection.execute("COMMIT")

            with _Writer(write) as writer:
                yield writer

    def _fast(self) -> None:
        run_process(_clean(f"sqlite:///{self._file}", "--fast"), environ=_environ())()

    def _seconds(self) -> float:
        self._start_anew()
        started = time.perf_counter()
        run_process(_clean(f"sqlite:///{self._file}"), environ=_environ())()
        return time.perf_counter() - started


class _Postgresql:
    def __init__(self, server: PostgresServer, results: int, rounds: int) -> None:
        self._server, self._results, self._rounds = server, results, rounds
        self._url = server.create_database()
        self._longest: list[float] = []

    def run(self) -> Iterator[str]:
        self._full = self._fill(self._results, 2)
        about = f"PostgreSQL {self._server.version}, half of {self._results} results"
        yield compare(
            f"{about}: qadb cleanup / one DELETE and VACUUM",
            self._clean,
            self._delete,
            limit=1.1,
            rounds=self._rounds,
            before=self._start_anew,
        ).report()
        longest = statistics.median(self._longest) * 1000
        yield f"{about}: a writer waits {longest:.0f} ms at most (at most 20)"
        few = self._seconds()
        self._server.drop_database(self._full)
        self._full = self._fill(self._results * 2, 4)
        yield _beside_more(about, few, self._seconds())

    def _fill(self, results: int, share: int) -> str:
        url = self._server.create_database()
        command = [sys.executable, "-m", "qadb", "init", "--quiet", "--database-url", url]
        run_process(command, environ=_environ())()
        with _connected(url) as connection, connection.cursor() as cursor:
            cursor.execute(FILL_POSTGRESQL.format(**_sizes(results, share)))
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("CHECKPOINT")
        return url

    def _start_anew(self) -> None:
        self._server.drop_database(self._url)
        self._url = self._server.create_database(template=self._full)

    def _delete(self) -> None:
        with self._writing(), _connected(self._url) as connection, connection.cursor() as cursor:
            old = "started_at < now() - interval '180 days'"
            cursor.execute("; ".join(statement.format(old=old) for statement in DELETES))
            cursor.execute("VACUUM (ANALYZE) test_results")
            cursor.execute("VACUUM (ANALYZE) test_runs")

    def _clean(self) -> None:
        with self._writing() as writer:
            run_process(_clean(self._url), environ=_environ())()
        self._longest.append(max(writer.waits))

    @contextmanager
    def _writing(self) -> Iterator[_Writer]:
        with _connected(self._url) as connection, connection.cursor() as cursor:

            def write(number: int) -> None:
                cursor.execute(f"{ADD_RUN.format(n=number)}; {ADD_RESULT.format(n=number)}")

            with _Writer(write) as writer:
                yield writer

    def _seconds(self) -> float:
        self._start_anew()
        started = time.perf_counter()
        run_process(_clean(self._url), environ=_environ())()
        return time.perf_counter() - started


@contextmanager
def _connected(url: str) -> Iterator[psycopg2.extensions.connection]:
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        yield connection
