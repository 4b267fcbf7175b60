"""Runs operations in processes that may be killed: ``python -m tests.operations.crash_child``.

Reads lines ``operation url`` and forks for each, so that nobody waits for imports again and a kill
hits the work. Answers with the process's id; after another line, until which that id stays the
process's own, with how it ended. ``operation@step:N`` kills itself at the N-th time of a step.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from typing import TYPE_CHECKING

import alembic.autogenerate  # noqa: F401 - what the operations would import while being killed
import psycopg2  # noqa: F401 - the same
from sqlalchemy import Connection
from sqlalchemy.engine.default import DefaultDialect

from qadb.operations.init import init_database
from qadb.operations.migrate import migrate
from qadb.operations.rollback import plan_rollback, rollback
from qadb.revisions import environment, runner
from tests.support.databases import open_database

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.database import Database


def _take_all_back(database: Database) -> object:
    return rollback(database, plan_rollback(database, "base"))


OPERATIONS: dict[str, Callable[[Database], object]] = {
    "init": init_database,
    "migrate": migrate,
    "rollback": _take_all_back,
}


# Named moments: the function that is called at each, on whose N-th call the process ends.
STEPS: dict[str, tuple[object, str]] = {
    "statement": (DefaultDialect, "do_execute"),
    "recording": (environment, "record_entry"),
    "commit": (Connection, "_commit_impl"),
    "verifying": (runner, "_verify"),
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


def work(operation: str, url: str) -> None:
    """Run one operation and end the process."""
    operation, _, step = operation.partition("@")
    if step:
        name, _, times = step.partition(":")
        kill_at(name, int(times))
    with open_database(url) as database:
        OPERATIONS[operation](database)
    os._exit(0)


def main() -> None:
    while line := sys.stdin.readline():
        operation, url = line.split()
        process_id = os.fork()
        if process_id == 0:
            try:
                work(operation, url)
            finally:
                os._exit(1)
        sys.stdout.write(f"{process_id}\n")
        sys.stdout.flush()
        sys.stdin.readline()
        _, status = os.waitpid(process_id, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
