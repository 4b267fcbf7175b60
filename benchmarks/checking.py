"""`qadb health` as a whole process on a large database, against how long the same start-up takes.

Start-up is `qadb status`, which loads the same libraries, connects and reads the history. On
SQLite the checks of the pages are the engine's own work: those are timed alone, too.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.backing_up import CHECKOUT
from benchmarks.pairs import MEGABYTE, run_process
from benchmarks.servers import running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgres_server import PostgresServer

SCALE = 560  # of the demo: some 5 million results
ROUNDS = 5
QUICK_CHECK_SHARE = 1.2


def run(*, tiny: bool) -> Iterator[str]:
    """Yield a line a limit."""
    scale, rounds = (1, 1) if tiny else (SCALE, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        yield from _sqlite(Path(folder), scale, rounds)
    with running_server() as server:
        yield from _postgresql(server, scale, rounds)


class _Qadb:
    """The program on one database, with a cache of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self._environ = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "QADB_DATABASE_URL": url,
            "QADB_BACKUP_DIR": str(folder / "backups"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def __call__(self, *words: str) -> Callable[[], None]:
        return run_process([sys.executable, "-m", "qadb", *words], environ=self._environ)

    def beyond_start_up(self, *words: str, rounds: int) -> float:
        """Median seconds that a command takes beyond `qadb status`, pair by pair.

        The first run, which compares the schema and keeps the proof, is not counted.
        """
        action, start_up = self(*words), self("status")
        action()
        return statistics.median(_timed(action) - _timed(start_up) for _ in range(rounds))


def _sqlite(folder: Path, scale: int, rounds: int) -> Iterator[str]:
    file = folder / "qa.sqlite3"
    qadb = _Qadb(f"sqlite:///{file}", folder)
    qadb("init", "--demo", "--scale", str(scale), "--quiet")()
    about = f"SQLite, {file.stat().st_size / MEGABYTE:.0f} MB"
    seconds = qadb.beyond_start_up("health", "--only", "schema", rounds=rounds)
    yield f"{about}: health --only schema {seconds:.2f} s beyond start-up (at most 0.3)"
    seconds = qadb.beyond_start_up("health", "--budget", "1h", "--fail-on", "never", rounds=rounds)
    alone = statistics.median(_timed(lambda: _quick_check(file)) for _ in range(rounds))
    yield (
        f"{about}: health {seconds:.2f} s beyond start-up, quick_check alone {alone:.2f} s "
        f"(at most {QUICK_CHECK_SHARE:g} times)"
    )


def _postgresql(server: PostgresServer, scale: int, rounds: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        qadb = _Qadb(server.create_database(), Path(folder))
        qadb("init", "--demo", "--scale", str(scale), "--quiet")()
        about = f"PostgreSQL {server.major}"
        seconds = qadb.beyond_start_up("health", "--only", "schema", rounds=rounds)
        yield f"{about}: health --only schema {seconds:.2f} s beyond start-up (at most 0.3)"
        seconds = qadb.beyond_start_up("health", "--fail-on", "never", rounds=rounds)
        yield f"{about}: health {seconds:.2f} s beyond start-up (at most 1)"


def _quick_check(file: Path) -> None:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("PRAGMA quick_check").fetchall()


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
