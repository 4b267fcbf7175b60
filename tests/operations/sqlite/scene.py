"""A file that a backup is restored into, and what one asks of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from qadb.operations.restore import RestoreOptions, plan_restore, restore

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

COUNT = "SELECT count(*) FROM countries"
ADD = "INSERT INTO countries (code, name) VALUES ('QQ', 'Atlantis')"


def put_back(database: Database, backup: Path) -> str | None:
    options = RestoreOptions(safety_folder=backup.parent)
    return restore(database, plan_restore(database, backup), options).previous


def set_journal_mode(database: Database, live: Path, mode: str) -> None:
    database.close()
    with closing(sqlite3.connect(live)) as connection:
        assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
