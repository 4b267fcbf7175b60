"""Backups and restores as whole processes, against what people run now.

Against ``sqlite3 .backup``, which neither compresses nor hashes nor checks, against ``cp`` and a
sync for restoring a file, and against ``pg_dump -Fc`` and ``pg_restore -j2``.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.pairs import MEGABYTE, compare, peak_megabytes, peak_own_megabytes, run_process
from benchmarks.servers import running_server
from tests.support.postgres_client import execute, fetch_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgres_server import PostgresServer

SCALE = 300  # of the demo: some 3 million rows, and with stack traces 1 GB
CHECKOUT = Path(__file__).resolve().parent.parent
WRITER_PAUSE_SECONDS = 0.005

# Every fifth result gets a stack trace of ten lines, some 700 letters.
ADD_TRACES = """
UPDATE test_results SET stack_trace = {lines}
WHERE (run_id * 7919 + test_case_id) % 5 = 0
"""
LINES_ON_POSTGRESQL = """(
    SELECT string_agg('  at com.example.service.'
        || md5((run_id * 31 + test_case_id * 7 + n)::text)
        || '.run(File' || run_id * n % 997 || '.java:' || test_case_id * n % 2311 || ')', chr(10))
    FROM generate_series(1, 10) AS n)"""

# The runs of the last of thirty days, a thirtieth of all results.
TAKE_A_DAY_BACK = """
DELETE FROM test_runs WHERE started_at >= (
    SELECT strftime('%Y-%m-%dT%H:%M:%SZ', max(started_at), '-1 day') FROM test_runs)
"""

# Where the machine has no sqlite3, the same interface that its .backup calls, in the same way.
BACKUP_BY_HAND = "import sqlite3, sys; s, t = map(sqlite3.connect, sys.argv[1:]); s.backup(t)"


def run(*, tiny: bool) -> Iterator[str]:
    """Yield a line a comparison."""
    rounds = 1 if tiny else 5
    with tempfile.TemporaryDirectory() as folder:
        yield from _Sqlite(Path(folder), scale=1 if tiny else SCALE, rounds=rounds).run()
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        scale = 1 if tiny else SCALE
        yield from _Postgresql(Path(folder), server, scale=scale, rounds=rounds).run()


class _Qadb:
    """The program on one database, with a folder for its backups."""

    def __init__(self, url: str, folder: Path, path: Path | None = None) -> None:
        self.backups = folder / "backups"
        programs = [str(path)] if path else []
        self._environ = {
            **os.environ,
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            "PYTHONPATH": str(CHECKOUT),
            "QADB_DATABASE_URL": url,
            "QADB_BACKUP_DIR": str(self.backups),
        }

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "qadb", *words]

    def __call__(self, *words: str) -> Callable[[], None]:
        return run_process(self.command(*words), environ=self._environ)

    def peak_megabytes(self, *words: str) -> int:
        return peak_megabytes(self.command(*words), environ=self._environ)

    def peak_own_megabytes(self, *words: str) -> int:
        return peak_own_megabytes(self.command(*words), environ=self._environ)

    def forget(self) -> None:
        shutil.rmtree(self.backups, ignore_errors=True)

    def newest(self) -> Path:
        return max(self.backups.glob("*.qadb"), key=lambda path: path.stat().st_mtime_ns)


class _Sqlite:
    def __init__(self, folder: Path, *, scale: int, rounds: int) -> None:
        self._file, self._copy = folder / "qa.sqlite3", folder / "copy.sqlite3"
        self._qadb = _Qadb(f"sqlite:///{self._file}", folder)
        self._rounds = rounds
        self._qadb("init", "--demo", "--scale", str(scale), "--quiet")()
        _add_traces_on_sqlite(self._file)
        self._about = f"SQLite, {self._file.stat().st_size / MEGABYTE:.0f} MB"

    def run(self) -> Iterator[str]:
        yield self._against_shell("qadb backup", [], 2.0)
        self._qadb("backup", "--quiet")()
        share = self._qadb.newest().stat().st_size / self._file.stat().st_size
        yield f"{self._about}: a backup is {share:.0%} of it (at most 25%)"
        yield self._against_shell("qadb backup --verify", ["--verify"], 2.7)
        yield from self._beside_a_writer()
        yield from self._restoring()
        self._qadb.forget()
        peak = self._qadb.peak_megabytes("backup", "--verify", "--quiet")
        yield f"{self._about}: backup --verify takes {peak} MB of memory (at most 150)"

    def _start_anew(self) -> None:
        self._qadb.forget()
        self._copy.unlink(missing_ok=True)

    def _against_shell(self, name: str, options: list[str], limit: float) -> str:
        shell = shutil.which("sqlite3")
        theirs = (
            [shell, str(self._file), f".backup {self._copy}"]
            if shell
            else [sys.executable, "-c", BACKUP_BY_HAND, str(self._file), str(self._copy)]
        )
        return compare(
            f"{self._about}: {name} / sqlite3 .backup",
            self._qadb("backup", "--quiet", *options),
            run_process(theirs),
            limit=limit,
            rounds=self._rounds,
            before=self._start_anew,
        ).report()

    def _beside_a_writer(self) -> Iterator[str]:
        with _Writer(self._file) as writer:

            def beside() -> None:
                with writer.writing():
                    self._qadb("backup", "--quiet")()

            yield compare(
                f"{self._about}: qadb backup beside a writer / alone",
                beside,
                self._qadb("backup", "--quiet"),
                limit=1.5,
                rounds=self._rounds,
                before=self._start_anew,
            ).report()
            milliseconds = writer.longest_wait_seconds * 1000
        yield f"{self._about}: the writer waits {milliseconds:.0f} ms at most (at most 400)"

    def _restoring(self) -> Iterator[str]:
        """Restore what was there a day before, and then what has no page in common."""
        today = self._file.with_name("today.sqlite3")
        _copy_and_sync(self._file, today)
        _change(self._file, TAKE_A_DAY_BACK)
        yield from self._restore_over(today, "restore of a day before")
        _change(today, "UPDATE test_results SET stack_trace = stack_trace || '.'", "VACUUM")
        yield from self._restore_over(today, "restore where all pages differ")
        today.unlink()

    def _restore_over(self, former: Path, name: str) -> Iterator[str]:
        self._start_anew()
        self._qadb("backup", "--quiet")()
        restore = ["restore", str(self._qadb.newest()), "--yes", "--quiet"]

        def start_anew() -> None:
            self._copy.unlink(missing_ok=True)
            _copy_and_sync(former, self._file)

        yield compare(
            f"{self._about}: qadb {name} / cp + fsync",
            self._qadb(*restore),
            lambda: _copy_and_sync(self._file, self._copy),
            limit=7,
            rounds=self._rounds,
            before=start_anew,
        ).report()
        start_anew()
        peak = self._qadb.peak_own_megabytes(*restore)
        yield f"{self._about}: {name} takes {peak} MB of memory beside mapped files (at most 150)"


def _copy_and_sync(file: Path, copy: Path) -> None:
    shutil.copyfile(file, copy)
    with copy.open("rb") as copied:
        os.fsync(copied.fileno())


def _change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for statement in statements:
            connection.execute(statement)


def _add_traces_on_sqlite(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.create_function("trace", 2, _trace, deterministic=True)
        connection.execute(ADD_TRACES.format(lines="trace(run_id, test_case_id)"))
        connection.commit()
        connection.execute("VACUUM")


def _trace(run_id: int, test_case_id: int) -> str:
    return "\n".join(
        "  at com.example.service."
        f"{md5(str(run_id * 31 + test_case_id * 7 + n).encode()).hexdigest()}"
        f".run(File{run_id * n % 997}.java:{test_case_id * n % 2311})"
        for n in range(1, 11)
    )


class _Writer:
    """Changes a row every few milliseconds, when it is told to."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._may_write, self._has_ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.longest_wait_seconds = 0.0

    def __enter__(self) -> _Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        self._may_write.set()
        self._thread.join()

    @contextmanager
    def writing(self) -> Iterator[None]:
        self._may_write.set()
        try:
            yield
        finally:
            self._may_write.clear()

    def _write(self) -> None:
        with closing(sqlite3.connect(self._file, timeout=60, isolation_level=None)) as connection:
            while self._may_write.wait() and not self._has_ended.is_set():
                started = time.perf_counter()
                connection.execute("UPDATE countries SET name = name WHERE code = 'DE'")
                waited = time.perf_counter() - started
                self.longest_wait_seconds = max(self.longest_wait_seconds, waited)
                time.sleep(WRITER_PAUSE_SECONDS)


class _Postgresql:
    def __init__(self, folder: Path, server: PostgresServer, *, scale: int, rounds: int) -> None:
        self._server, self._folder, self._rounds = server, folder, rounds
        self._url = server.create_database()
        programs = server.program("pg_dump").parent
        self._qadb = _Qadb(self._url, folder, programs)
        self._qadb("init", "--demo", "--scale", str(scale), "--quiet")()
        execute(self._url, ADD_TRACES.format(lines=LINES_ON_POSTGRESQL))
        execute(self._url, "VACUUM FULL test_results")
        execute(self._url, "VACUUM ANALYZE")  # as autovacuum keeps it, which this server lacks
        size = int(fetch_column(self._url, "SELECT pg_database_size(current_database())")[0])
        self._archive = folder / "peer.dump"
        self._about = f"PostgreSQL {server.version}, {size / MEGABYTE:.0f} MB"

    def run(self) -> Iterator[str]:
        yield compare(
            f"{self._about}: qadb backup / pg_dump -Fc",
            self._qadb("backup", "--quiet"),
            run_process(self._dump_command()),
            limit=0.3,
            rounds=self._rounds,
            before=self._qadb.forget,
        ).report()
        self._qadb("backup", "--quiet")()
        run_process(self._dump_command())()
        ratio = self._qadb.newest().stat().st_size / self._archive.stat().st_size
        yield f"{self._about}: a backup is {ratio:.2f} times pg_dump's size (at most 1.25)"
        yield from self._restoring()
        self._qadb.forget()
        peak = self._qadb.peak_megabytes("backup", "--verify", "--quiet")
        yield f"{self._about}: backup --verify takes {peak} MB of memory (at most 150)"

    def _dump_command(self) -> list[str]:
        return [str(self._server.program("pg_dump")), "-Fc", "-f", str(self._archive), self._url]

    def _restoring(self) -> Iterator[str]:
        ours, theirs = self._server.create_database(), self._server.create_database()
        self._server.drop_database(ours)

        def start_anew() -> None:
            nonlocal theirs
            self._server.drop_database(ours)
            self._server.drop_database(theirs)
            theirs = self._server.create_database()

        def peer() -> None:
            program = str(self._server.program("pg_restore"))
            run_process([program, "-j2", "--dbname", theirs, str(self._archive)])()

        backup = str(self._qadb.newest())
        restore = ["restore", backup, "--to", ours, "--quiet", "--jobs", "2"]
        yield compare(
            f"{self._about}: qadb restore / pg_restore -j2",
            self._qadb(*restore),
            peer,
            limit=1.0,
            rounds=self._rounds,
            before=start_anew,
        ).report()
        start_anew()
        peak = self._qadb.peak_megabytes(*restore)
        yield f"{self._about}: restore takes {peak} MB of memory (at most 150)"
