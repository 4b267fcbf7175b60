"""Workers that share environments: ``python -m tests.repositories.environment_child``.

Arguments: how they go about it, the database's URL, how many workers, how often each acquires.
Forks once a worker before anything is connected. A grant is a run of the environment, written in
the transaction that acquires it; it is over in the one that releases it. Prints one line a grant.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

from qadb.repositories.environments import EnvironmentRepository
from qadb.repositories.test_runs import TestRunRepository
from tests.support.databases import open_database

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.models import Environment
    from qadb.sessions.unit import UnitOfWork

TENANT = "acme"


def take(session: UnitOfWork) -> tuple[Environment, int] | None:
    environment = EnvironmentRepository(session).acquire()
    if environment is None:
        return None
    return environment, TestRunRepository(session).start(1, environment=environment).id


def share(database: Database, times: int) -> int:
    """Acquire and release, over and over; returns how often there was one."""
    grants = 0
    while grants < times:
        taken = database.run(take, tenant=TENANT, attempts=9)
        if taken is None:
            continue
        grants += 1
        environment, run_id = taken

        def give_back(
            session: UnitOfWork, environment: Environment = environment, run_id: int = run_id
        ) -> None:
            TestRunRepository(session).finish(run_id)
            EnvironmentRepository(session).release(environment)

        database.run(give_back, tenant=TENANT, attempts=9)
    return grants


def keep(database: Database, times: int) -> int:
    """Acquire until there is none left, and release nothing."""
    return sum(database.run(take, tenant=TENANT, attempts=9) is not None for _ in range(times))


def stall(database: Database, _times: int) -> int:
    """Acquire, and never come to an end of the transaction."""
    with database.session(tenant=TENANT) as session:
        taken = take(session)
        sys.stdout.write(f"{os.getpid()} {taken is not None}\n")
        sys.stdout.flush()
        sys.stdin.readline()
    return 0


WAYS = {"share": share, "keep": keep, "stall": stall}


def work(way: str, url: str, times: int) -> None:
    with open_database(url) as database:
        grants = WAYS[way](database, times)
    sys.stdout.write(f"{grants}\n")
    sys.stdout.flush()


def main() -> None:
    way, url, workers, times = sys.argv[1:]
    children = []
    for _ in range(int(workers)):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(way, url, int(times))
                code = 0
            finally:  # what is raised is shown, but never leaves the fork
                if code:
                    traceback.print_exc()
                os._exit(code)
        children.append(child)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(abs(code) for code in ended))


if __name__ == "__main__":
    main()
