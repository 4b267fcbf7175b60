"""Runs operations in processes that may be killed: ``python -m tests.operations.crash_child``.

Reads lines of JSON, ``[operation, url, path or null, environment]``, and forks for each: so nobody
waits for imports again, and a kill hits the work. Answers with the process's id; after another
line, until which that id stays the process's own, with how it ended. ``operation@step:N`` kills
itself at the N-th time of a step.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import alembic.autogenerate  # noqa: F401 - what the operations would import while being killed
import psycopg2  # noqa: F401 - the same
from sqlalchemy import Connection
from sqlalchemy.engine.default import DefaultDialect

from qadb.backends.postgresql.dumping import large_tables
from qadb.backends.postgresql.restoring import claiming as postgresql_claiming
from qadb.backends.sqlite import claiming as sqlite_claiming
from qadb.backends.sqlite.sqlite_shell import SqliteShell
from qadb.backups.rotation import KeepRules
from qadb.operations import backup as backup_operation
from qadb.operations import rebuild as rebuild_operation
from qadb.operations import restore as restore_operation
from qadb.operations import restore_safety, rotate
from qadb.operations.cleanup import CleanupOptions, cleanup
from qadb.operations.importing.import_rows import import_rows, plan_import
from qadb.operations.init import init_database
from qadb.operations.migrate import migrate
from qadb.operations.rollback import plan_rollback, rollback
from qadb.revisions import environment, runner
from tests.operations.cleanup_scene import NOW
from tests.support.databases import open_database

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.database import Database


def _take_all_back(database: Database) -> object:
    return rollback(database, plan_rollback(database, "base"))


def back_up(database: Database, folder: Path) -> object:
    """Make a proven backup and let the older ones but one go."""
    options = backup_operation.BackupOptions(jobs=2, verify=True, keep=KeepRules(last=2))
    return backup_operation.create_backup(database, folder, options)


def put_back(database: Database, path: Path) -> object:
    """Restore a backup; what it replaces is saved beside it."""
    plan = restore_operation.plan_restore(database, path)
    options = restore_operation.RestoreOptions(jobs=2, safety_folder=path.parent)
    return restore_operation.restore(database, plan, options)


def bring_in(database: Database, folder: Path) -> object:
    """Import what a folder holds: a database, its mapping, and a place for what is rejected."""
    plan = plan_import(database, folder / "theirs.sqlite3", folder / "mapping.toml")
    return import_rows(database, plan, folder / "rejected.jsonl")


def clean_up(database: Database) -> object:
    """Delete what the scene lets go, a few rows a transaction, at once where the engine can."""
    cleaner = database.backend.cleaner
    small = replace(cleaner.rhythm(is_fast=False), first_rows=4, least_rows=4, most_rows=4)
    setattr(cleaner, "rhythm", lambda **_: small)  # noqa: B010 - a module stands for the protocol
    return cleanup(database, CleanupOptions(now=NOW))


def archive(database: Database, folder: Path) -> object:
    """The same, archived first."""
    return cleanup(database, CleanupOptions(now=NOW, archive=folder))


OPERATIONS: dict[str, Callable[[Database], object]] = {
    "init": init_database,
    "migrate": migrate,
    "rollback": _take_all_back,
    "cleanup": clean_up,
}
OPERATIONS_WITH_PATH: dict[str, Callable[[Database, Path], object]] = {
    "backup": back_up,
    "restore": put_back,
    "archive": archive,
    "import": bring_in,
}


# Named moments: the function that is called at each, on whose N-th call the process ends.
STEPS: dict[str, tuple[object, str]] = {
    "statement": (DefaultDialect, "do_execute"),
    "recording": (environment, "record_entry"),
    "commit": (Connection, "_commit_impl"),
    "verifying": (runner, "_verify"),
    "publishing": (os, "link"),
    "marking": (backup_operation, "note_verified"),
    "renaming": (os, "replace"),
    "backup-recording": (backup_operation, "record_entry"),
    "removing": (rotate, "remove_backup"),
    "unlinking": (Path, "unlink"),
    "saving": (restore_safety, "write_backup"),
    "checking": (rebuild_operation, "check_rebuilt"),
    "restore-recording": (restore_operation, "record_entry"),
    "sqlite-copying": (sqlite_claiming, "copy_into"),
    "sqlite-writing": (SqliteShell, "run"),
    "postgresql-swap": (postgresql_claiming.PlaceClaim, "_swap"),
    "postgresql-renaming": (postgresql_claiming, "_rename"),
}


def kill_at(step: str, times: int) -> None:
    """Let the step's function kill this process when it is called that often."""
    place, name = STEPS[step]
    genuine = getattr(place, name)
    calls = count(1)

    def go_on_or_die(*arguments: object, **named: object) -> object:
        if next(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return genuine(*arguments, **named)

    setattr(place, name, go_on_or_die)


def work(operation: str, url: str, path: str | None) -> None:
    """Run one operation and end the process."""
    operation, _, step = operation.partition("@")
    if step:
        name, _, times = step.partition(":")
        kill_at(name, int(times))
    with open_database(url) as database:
        if path is None:
            OPERATIONS[operation](database)
        else:
            OPERATIONS_WITH_PATH[operation](database, Path(path))
    os._exit(0)


def main() -> None:
    while line := sys.stdin.readline():
        operation, url, path, environment = json.loads(line)
        process_id = os.fork()
        if process_id == 0:
            try:
                os.environ.update(environment)
                work(operation, url, path)
            finally:
                os._exit(1)
        sys.stdout.write(f"{process_id}\n")
        sys.stdout.flush()
        sys.stdin.readline()
        _, status = os.waitpid(process_id, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    large_tables.LARGE_BYTES = 1  # copied by several sessions, as those are that take long
    main()
