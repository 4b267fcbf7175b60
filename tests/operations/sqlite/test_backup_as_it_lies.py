"""Where others might write to the file while it is read, a copy is made first."""

from __future__ import annotations

import io
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import dumper
from qadb.backends.sqlite.frozen_file import FrozenFile
from qadb.backends.values import ConnectionOptions
from qadb.operations.backup import BackupOptions, create_backup
from qadb.operations.verify import verify_backup
from tests.support.databases import execute, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from qadb.progress import ProgressEvent

CHANGE = "UPDATE countries SET name = 'Deutschland' WHERE code = 'DE'"


@pytest.fixture
def other(database: Database, sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """Another application on the same file."""
    del database
    with closing(sqlite3.connect(sqlite_file(sqlite_url), isolation_level=None)) as connection:
        yield connection


def back_up(database: Database, place: Path) -> set[str]:
    """Make a backup, have it proven twice, and return what was done for it."""
    seen: set[str] = set()

    def notice(event: ProgressEvent) -> None:
        seen.add(event.label)

    result = create_backup(database, place, BackupOptions(verify=True), progress=notice)
    assert result.is_verified
    assert verify_backup(database, result.path, jobs=2).manifest.tables["countries"] == 249
    return seen


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' locks don't say whose they are")
def test_a_file_with_a_log_is_read_as_it_lies(database: Database, tmp_path: Path) -> None:
    execute(database, CHANGE)

    assert back_up(database, tmp_path / "backups") == {"Writing", "Verifying"}


def test_a_file_without_a_log_is_copied(
    database: Database, other: sqlite3.Connection, tmp_path: Path
) -> None:
    database.close()
    assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)

    assert "Copying" in back_up(database, tmp_path / "backups")


def test_a_file_is_copied_while_somebody_reads_an_older_state(
    database: Database, other: sqlite3.Connection, tmp_path: Path
) -> None:
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM countries").fetchone()
    execute(database, CHANGE)

    assert "Copying" in back_up(database, tmp_path / "backups")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' locks don't say whose they are")
@pytest.mark.parametrize("ends", ["written", "interrupted"])
def test_a_file_on_a_cold_disk_is_checked_when_it_was_read(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """In its own order; and nobody waits for that who is to end."""
    monkeypatch.setattr(FrozenFile, "is_in_memory", lambda _: False)
    with (
        dumper.freeze(
            database.url, ConnectionOptions(), folder=tmp_path, on_bytes=lambda _: None
        ) as moment,
        ThreadPoolExecutor(1) as pool,
    ):
        checking = pool.submit(moment.check)
        with pytest.raises(TimeoutError):
            checking.result(0.2)
        if ends == "written":
            moment.write(io.BytesIO(), lambda _: None, jobs=1)
        else:
            moment.interrupt()
        checking.result(30)
