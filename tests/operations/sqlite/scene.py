"""A file that a backup is restored into, and what one asks of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from qadb.operations.restore import RestoreOptions, plan_restore, restore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database

COUNT = "SELECT count(*) FROM countries"
ADD = "INSERT INTO countries (code, name) VALUES ('QQ', 'Atlantis')"
ADD_LATER = "INSERT INTO countries (code, name) VALUES ('QX', 'Utopia')"


def put_back(database: Database, backup: Path) -> str | None:
    options = RestoreOptions(safety_folder=backup.parent)
    return restore(database, plan_restore(database, backup), options).previous


def set_journal_mode(database: Database, live: Path, mode: str) -> None:
    database.close()
    with closing(sqlite3.connect(live)) as connection:
        assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)


@contextmanager
def somebody_else(code: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has printed a line; what it waits for by input() comes at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None:
            raise AssertionError("it was piped")
        process.stdout.readline()
        yield process
        process.communicate("\n")


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
