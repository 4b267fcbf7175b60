"""The history table: when, by whom, how long, and whether the file was edited since."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from qadb import __version__
from qadb.operations.status import read_status
from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.history import HistoryEntry, read_history, record_entry
from tests.revisions.running import go_down, go_up
from tests.support.databases import execute, fetch_rows
from tests.support.revision_folders import write_revision

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database


def history(database: Database) -> tuple[HistoryEntry, ...]:
    with database.connect(read_only=True) as connection:
        return read_history(connection, database)


def test_history_has_every_step_up_and_down(small: Database) -> None:
    go_up(small, "002")
    go_down(small, "001")
    go_up(small, "002")

    steps = [(step.revision, step.direction) for step in history(small)]

    assert steps == [("001", "up"), ("002", "up"), ("002", "down"), ("002", "up")]


def test_step_says_when_how_long_by_whom_and_with_which_version(small: Database) -> None:
    before = datetime.now(UTC)
    go_up(small, "001")
    (step,) = history(small)

    assert before - timedelta(seconds=5) <= step.applied_at <= datetime.now(UTC)
    assert step.applied_at.utcoffset() == timedelta(0)
    assert 0 < step.elapsed_seconds < 60
    role = [(getpass.getuser(),)]
    if small.url.engine == "postgresql":
        role = [(str(name),) for (name,) in fetch_rows(small, "SELECT current_user")]
    assert [(step.user,)] == role
    assert step.qadb_version == __version__


def test_step_is_edited_when_its_file_changed_after_it_ran(small: Database, folder: Path) -> None:
    go_up(small, "002")
    assert [step.is_edited for step in history(small)] == [False, False]

    write_revision(folder, "001", None, up='op.execute("SELECT 1")', title="Parents")

    assert [step.is_edited for step in history(small)] == [True, False]


def test_step_is_edited_when_what_it_reads_has_changed(small: Database, folder: Path) -> None:
    companion = folder / "versions" / "001_names.txt"
    companion.write_text("before")
    read_catalogue.cache_clear()
    go_up(small, "001")
    assert [step.is_edited for step in history(small)] == [False]

    companion.write_text("after")
    read_catalogue.cache_clear()

    assert [step.is_edited for step in history(small)] == [True]


def test_what_runs_no_revision_is_an_entry_as_well(small: Database) -> None:
    go_up(small, "001")
    with small.connect() as connection:
        record_entry(
            connection,
            small,
            "backup",
            revision="001",
            applied_at=datetime(2026, 1, 2, tzinfo=UTC),
            elapsed_seconds=1.5,
            backup="/backups/one.zip",
        )

    migrated, backup = history(small)

    assert (migrated.operation, migrated.direction, migrated.backup) == ("migrate", "up", None)
    assert (backup.operation, backup.direction, backup.revision) == ("backup", None, "001")
    assert (backup.backup, backup.elapsed_seconds) == ("/backups/one.zip", 1.5)
    assert backup.is_edited is None
    assert read_status(small).last_backup == datetime(2026, 1, 2, tzinfo=UTC)


def test_older_table_is_read_and_gets_what_it_lacks_with_the_next_entry(small: Database) -> None:
    go_up(small, "001")
    for column in ("operation", "backup"):
        execute(small, f"ALTER TABLE qadb_history DROP COLUMN {column}")
    (older,) = history(small)
    assert (older.operation, older.direction, older.backup) == (None, "up", None)

    go_up(small, "002")

    assert [entry.operation for entry in history(small)] == [None, "migrate"]


def test_nobody_can_tell_of_a_step_whose_file_is_gone(small: Database, folder: Path) -> None:
    path = write_revision(folder, "003", "002")
    go_up(small, "003")
    path.unlink()
    write_revision(folder, "002", "001")

    assert history(small)[-1].is_edited is None


def test_database_without_the_table_has_no_history(small: Database) -> None:
    go_up(small, "001")
    execute(small, "DROP TABLE qadb_history")

    assert history(small) == ()
