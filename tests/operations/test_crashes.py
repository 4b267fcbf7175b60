"""Killed at any moment, a database stands at a defined state and the next run completes."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.backends.catalog import diff
from qadb.operations.init import init_database
from qadb.operations.migrate import migrate
from qadb.operations.rollback import plan_rollback, rollback
from qadb.operations.status import read_status
from qadb.revisions.state import read_state
from tests.operations.worker import KILLS, moments
from tests.support.databases import live_catalog, open_database
from tests.support.migrated import copy_of
from tests.support.revisions import REVISIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.backends.catalog import Catalog
    from tests.operations.worker import Worker
    from tests.support.postgres_server import PostgresServer

MARGIN = 0.8  # of the work's duration: later runs may be faster still


@contextmanager
def empty_place(server: PostgresServer | None, folder: Path, name: str) -> Iterator[str]:
    if server is None:
        yield f"sqlite:///{folder / name / 'qa.sqlite3'}"
        return
    url = server.create_database()
    try:
        yield url
    finally:
        server.drop_database(url)


def complete_catalog(url: str) -> Catalog:
    with open_database(url) as database:
        assert read_state(database).state == "current"
        return live_catalog(database)


def test_init_killed_at_any_moment_is_completed_by_the_next(
    worker: Worker, database_server: PostgresServer | None, tmp_path: Path
) -> None:
    with empty_place(database_server, tmp_path, "first") as url:
        first_seconds = worker.time("init", url)  # it may be slower than all that follow
        expected = complete_catalog(url)
    with empty_place(database_server, tmp_path, "second") as url:
        duration_seconds = min(first_seconds, worker.time("init", url)) * MARGIN
    outcomes = set()
    for number, moment in enumerate(moments(duration_seconds, KILLS)):
        with empty_place(database_server, tmp_path, str(number)) as url:
            outcomes.add(worker.run("init", url, kill_after_seconds=moment))
            with open_database(url) as database:
                state = read_status(database).database.state
                assert state in ("absent", "empty", "behind", "current")
                init_database(database)
            assert diff(expected, complete_catalog(url)) == ()
    assert -signal.SIGKILL in outcomes


def test_file_of_a_creation_that_was_killed_half_way_is_empty_and_completed(tmp_path: Path) -> None:
    """Until it is in WAL mode a file has a rollback journal, which reading alone may not undo."""
    kill_while_creating = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA auto_vacuum = INCREMENTAL'); c.execute('VACUUM');"
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN');"
        "c.execute('CREATE TABLE t (x)'); c.execute('DROP TABLE t');"
        "[c.execute(f'CREATE TABLE t{i} (x)') for i in range(99)]; os.kill(os.getpid(), 9)"
    )
    file = tmp_path / "qa.sqlite3"
    subprocess.run([sys.executable, "-c", kill_while_creating, str(file)], check=False)
    assert (tmp_path / "qa.sqlite3-journal").stat().st_size > 0

    with open_database(f"sqlite:///{file}") as database:
        assert read_status(database).database.state == "empty"
        init_database(database)
        assert read_status(database).is_current


@pytest.mark.parametrize("operation", ["migrate", "rollback"])
def test_migration_killed_at_any_moment_stands_at_a_revision_and_is_completed(
    worker: Worker,
    database_server: PostgresServer | None,
    migrated_template_url: str,
    tmp_path: Path,
    operation: str,
) -> None:
    with copy_of(migrated_template_url, database_server, tmp_path) as url:
        expected = complete_catalog(url)
        took: dict[str, list[float]] = {"rollback": [], "migrate": []}
        for _ in range(2):  # the first of each may be slower than all that follow
            for each, seconds in took.items():
                seconds.append(worker.time(each, url))
        duration_seconds = min(took[operation]) * MARGIN
        outcomes = []
        for moment in moments(duration_seconds, KILLS):
            with open_database(url) as database:
                migrate(database)
                if operation == "migrate":
                    rollback(database, plan_rollback(database, "base"))
            outcomes.append(worker.run(operation, url, kill_after_seconds=moment))
            with open_database(url) as database:
                found = read_status(database).database
                assert found.state in ("behind", "current")
                assert found.revision in (None, *REVISIONS)
                migrate(database)
            assert diff(expected, complete_catalog(url)) == ()
        assert outcomes.count(-signal.SIGKILL) >= KILLS / 2


@pytest.mark.parametrize("step", ["statement:90", "recording:4", "commit:1", "verifying:1"])
def test_migration_killed_at_a_step_is_completed(
    worker: Worker,
    database_server: PostgresServer | None,
    migrated_template_url: str,
    tmp_path: Path,
    step: str,
) -> None:
    with copy_of(migrated_template_url, database_server, tmp_path) as url:
        expected = complete_catalog(url)
        with open_database(url) as database:
            rollback(database, plan_rollback(database, "base"))

        assert worker.run(f"migrate@{step}", url) == -signal.SIGKILL

        with open_database(url) as database:
            found = read_status(database).database
            has_ended = step.startswith("verifying")
            assert found.state == ("current" if has_ended else "behind")
            assert found.revision in (None, *REVISIONS)
            migrate(database)
        assert diff(expected, complete_catalog(url)) == ()
