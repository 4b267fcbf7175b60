"""Ingest by process: two at once, killed, interrupted, out of room; nothing half remains."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from benchmarks.reports import write_cases
from qadb.errors import StorageFull
from qadb.operations.init import init_database
from tests.support.databases import fetch_rows, open_database, sqlite_file
from tests.support.report_files import case, count_all, load_one, write_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from tests.support.program import Program

CASES = 10_000
DEADLINE_SECONDS = 30
LOOK_SECONDS = 0.01  # between one look and the next: a loop without takes the worker's time

WRITERS_SQL = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'qadb ingest' AND backend_xid IS NOT NULL
"""
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak if sys.platform == "darwin" else peak * 1024)
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    report = tmp_path / "large.xml"
    write_cases(report, CASES)
    return report


@pytest.fixture
def sqlite_migrated(sqlite_url: str) -> Iterator[Database]:
    with open_database(sqlite_url) as database:
        init_database(database)
        yield database


def is_writing(database: Database) -> bool:
    """Tell whether an ingest has begun to write."""
    if database.backend.name != "sqlite":
        return fetch_rows(database, WRITERS_SQL) != [(0,)]
    path = sqlite_file(str(database.url.shown))
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


def start_writing(
    qadb: Program, database: Database, url: str, *words: str
) -> subprocess.Popen[str]:
    """Start an ingest and return once it writes."""
    process = qadb.start("ingest", *words, QADB_DATABASE_URL=url)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_writing(database):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)
    return process


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    return process.returncode, stdout, stderr


def test_same_file_twice_at_once_is_loaded_once(
    qadb: Program, migrated: Database, migrated_url: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    write_cases(report, 1_000)
    words = ("ingest", str(report), "--json")

    processes = [qadb.start(*words, QADB_DATABASE_URL=migrated_url) for _ in range(2)]
    ended = [end(process) for process in processes]

    assert [code for code, _, _ in ended] == [0, 0], ended
    found = sorted(stdout.split('"status": "')[1].split('"')[0] for _, stdout, _ in ended)
    assert found == ["duplicate", "ingested"]
    assert count_all(migrated)["test_results"] == 1_000


def test_equal_tests_in_opposite_order_at_once_do_not_dead_lock(
    qadb: Program, migrated: Database, migrated_url: str, tmp_path: Path
) -> None:
    cases = [case(f"test_{i}") for i in range(3_000)]
    reports = [
        write_report(tmp_path / "up.xml", *cases),
        write_report(tmp_path / "down.xml", *reversed(cases)),
        write_report(tmp_path / "up too.xml", *cases, start=None),
    ]

    processes = [qadb.start("ingest", str(r), QADB_DATABASE_URL=migrated_url) for r in reports]
    ended = [end(process) for process in processes]

    assert [code for code, _, _ in ended] == [0, 0, 0], ended
    counts = count_all(migrated)
    assert (counts["test_cases"], counts["test_results"], counts["test_runs"]) == (
        3_000,
        9_000,
        3,
    )


def test_killed_ingest_leaves_nothing_and_the_next_one_works(
    qadb: Program, migrated: Database, migrated_url: str, large: Path
) -> None:
    before = count_all(migrated)

    for _ in range(2):
        process = start_writing(qadb, migrated, migrated_url, str(large))
        time.sleep(random.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        end(process)
        assert count_all(migrated) == before

    assert load_one(migrated, large).rows == CASES
    assert fetch_rows(migrated, "SELECT total FROM test_runs") == [(CASES,)]


@pytest.mark.parametrize(
    ("request_to_end", "exit_code", "sentence"),
    [(signal.SIGINT, 130, "Interrupted."), (signal.SIGTERM, 143, "Terminated.")],
)
def test_interrupted_ingest_keeps_whole_files_only_and_says_so(
    qadb: Program,
    migrated: Database,
    migrated_url: str,
    large: Path,
    request_to_end: signal.Signals,
    exit_code: int,
    sentence: str,
) -> None:
    process = start_writing(qadb, migrated, migrated_url, str(large))

    process.send_signal(request_to_end)
    code, stdout, stderr = end(process)

    assert (code, stdout, stderr) == (exit_code, "", f"{sentence}\n")
    assert count_all(migrated)["test_runs"] == 0


def test_interrupted_ingest_says_how_many_files_stay(
    qadb: Program, migrated: Database, migrated_url: str, large: Path, tmp_path: Path
) -> None:
    small = write_report(tmp_path / "small.xml", case("a"))
    process = qadb.start("ingest", str(small), str(large), QADB_DATABASE_URL=migrated_url)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while count_all(migrated)["test_runs"] == 0 or not is_writing(migrated):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)

    process.send_signal(signal.SIGINT)
    code, _, stderr = end(process)

    assert code == 130
    assert stderr == "1 file stays loaded; run the command again for the rest.\nInterrupted.\n"
    assert fetch_rows(migrated, "SELECT total FROM test_runs") == [(1,)]


def test_full_disk_is_one_sentence_and_leaves_nothing(
    sqlite_migrated: Database, qadb: Program, large: Path
) -> None:
    before = count_all(sqlite_migrated)
    url = sqlite_migrated.url.shown
    limited = ["sh", "-c", 'ulimit -f 4096; exec "$@"', "sh", *qadb.command("ingest", str(large))]

    done = subprocess.run(
        limited,
        cwd=qadb.folder,
        env=qadb.environment(QADB_DATABASE_URL=url),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error:")]) == 1
    assert count_all(sqlite_migrated) == before
    assert load_one(sqlite_migrated, large).rows == CASES


def test_full_database_ends_the_ingest_and_keeps_files_before_it(
    sqlite_migrated: Database, large: Path, tmp_path: Path
) -> None:
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 100}")

    event.listen(sqlite_migrated.engine(), "connect", limit)
    load_one(sqlite_migrated, write_report(tmp_path / "small.xml", case("a")))

    with pytest.raises(StorageFull):
        load_one(sqlite_migrated, large)

    assert fetch_rows(sqlite_migrated, "SELECT total FROM test_runs") == [(1,)]


def test_memory_is_flat_in_the_number_of_cases(
    sqlite_migrated: Database, qadb: Program, tmp_path: Path
) -> None:
    peaks = [
        peak_megabytes(qadb, sqlite_migrated.url.shown, tmp_path, count)
        for count in (10_000, 50_000)
    ]

    assert abs(peaks[1] - peaks[0]) < 15
    assert max(peaks) < 200


def peak_megabytes(qadb: Program, url: str, folder: Path, count: int) -> float:
    report = folder / f"{count}.xml"
    write_cases(report, count)
    measured = [sys.executable, "-c", MEASURE, *qadb.command("ingest", str(report))]
    done = subprocess.run(
        measured,
        cwd=qadb.folder,
        env=qadb.environment(QADB_DATABASE_URL=url),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) / 1e6
