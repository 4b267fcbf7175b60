"""init --demo by process: two at once, others who write, killed; nothing half remains."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from qadb.errors import DataPresent, LockNotAvailable
from qadb.operations import demo as operation
from qadb.operations.demo import add_demo
from qadb.operations.init import init_database
from tests.operations.test_demo import ADD_TENANT, ADD_USER
from tests.operations.test_ingest_interrupted import DEADLINE_SECONDS, MEASURE
from tests.support.databases import execute, fetch_rows, open_database, sqlite_file
from tests.support.report_files import case, count_all, load_one, write_report

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from tests.support.program import Program

MUCH_BYTES = 500_000
SIZE_SQL = "SELECT pg_relation_size('test_results')"  # of what is not committed yet, too


def wait_until_writing(process: subprocess.Popen[str], database: Database) -> None:
    """Return once the demo's transaction has written a good deal."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not has_written(database):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_written(database: Database) -> bool:
    if database.backend.name != "sqlite":
        return int(str(fetch_rows(database, SIZE_SQL)[0][0])) > MUCH_BYTES
    log = sqlite_file(str(database.url.shown))
    log = log.with_name(log.name + "-wal")
    return log.exists() and log.stat().st_size > MUCH_BYTES


def test_killed_demo_leaves_nothing_and_the_next_one_completes(
    migrated: Database, migrated_url: str, qadb: Program
) -> None:
    before = count_all(migrated)
    words = ("init", "--demo", "--scale", "4", "--database-url", migrated_url)

    process = qadb.start(*words)
    wait_until_writing(process, migrated)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert count_all(migrated) == before
    again = qadb("init", "--demo", "--json", "--database-url", migrated_url)
    assert (again.exit_code, again.document["demo"]["added"]) == (0, True)
    assert count_all(migrated)["test_runs"] == 199


def test_interrupted_demo_leaves_nothing(
    migrated: Database, migrated_url: str, qadb: Program
) -> None:
    before = count_all(migrated)
    process = qadb.start("init", "--demo", "--scale", "4", "--database-url", migrated_url)
    wait_until_writing(process, migrated)

    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=DEADLINE_SECONDS)

    assert (process.returncode, stderr) == (130, "Interrupted.\n")
    assert count_all(migrated) == before


def test_two_at_once_add_one_demo(migrated: Database, migrated_url: str, qadb: Program) -> None:
    words = ("init", "--demo", "--json", "--database-url", migrated_url)

    processes = [qadb.start(*words) for _ in range(2)]
    ended = [process.communicate(timeout=DEADLINE_SECONDS) for process in processes]

    assert [process.returncode for process in processes] == [0, 0], ended
    assert sum('"added": true' in stdout for stdout, _ in ended) == 1
    assert fetch_rows(migrated, "SELECT count(*) FROM tenants") == [(2,)]
    assert count_all(migrated)["test_runs"] == 199


@pytest.mark.parametrize("statement", [ADD_TENANT, ADD_USER])
def test_demo_waits_for_a_writer_and_then_sees_what_they_wrote(
    migrated: Database, migrated_url: str, statement: str
) -> None:
    raised: list[BaseException] = []

    def fill() -> None:
        with open_database(migrated_url) as own:
            try:
                add_demo(own)
            except DataPresent as error:
                raised.append(error)

    filling = threading.Thread(target=fill)
    with migrated.connect() as connection:
        connection.exec_driver_sql(statement)
        filling.start()
        filling.join(timeout=0.5)
        assert filling.is_alive()
    filling.join(timeout=DEADLINE_SECONDS)

    assert [type(error) for error in raised] == [DataPresent]
    assert count_all(migrated)["test_runs"] == 0


def test_report_that_comes_meanwhile_is_loaded_after_the_demo(
    migrated: Database, migrated_url: str, qadb: Program, tmp_path: Path
) -> None:
    process = qadb.start("init", "--demo", "--scale", "2", "--database-url", migrated_url)
    wait_until_writing(process, migrated)

    file = load_one(migrated, write_report(tmp_path / "r.xml", case("a")))
    stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)

    assert (process.returncode, stderr) == (0, ""), stdout
    assert (file.status, file.run_id) == ("ingested", 2 * 199 + 1)
    assert count_all(migrated)["test_runs"] == 2 * 199 + 1


def test_writer_who_never_ends_is_named_as_the_reason(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "WAIT_WRITERS_SECONDS", 0.2)
    with open_database(postgresql_url) as database, open_database(postgresql_url) as other:
        init_database(database)
        with other.connect() as connection:
            connection.exec_driver_sql(ADD_USER)
            with pytest.raises(LockNotAvailable, match=r"Somebody writes to .* did not come to an"):
                add_demo(database)
            connection.rollback()
        execute(database, "SELECT 1")
        assert add_demo(database).added


def test_memory_is_flat_in_the_scale(qadb: Program, tmp_path: Path) -> None:
    peaks = [peak_megabytes(qadb, tmp_path / f"{scale}.sqlite3", scale) for scale in (1, 3)]

    assert abs(peaks[1] - peaks[0]) < 15
    assert max(peaks) < 200


def peak_megabytes(qadb: Program, file: Path, scale: int) -> float:
    words = ["init", "--demo", "--scale", str(scale), "--database-url", f"sqlite:///{file}"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *qadb.command(*words)],
        cwd=qadb.folder,
        env=qadb.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) / 1e6
