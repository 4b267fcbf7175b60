"""The history table: when, by whom, how long, and whether the file was edited since."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from qadb import __version__
from qadb.revisions.history import AppliedStep, read_history
from tests.revisions.running import go_down, go_up
from tests.support.databases import execute, fetch_rows
from tests.support.revision_folders import write_revision

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database


def history(database: Database) -> tuple[AppliedStep, ...]:
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
