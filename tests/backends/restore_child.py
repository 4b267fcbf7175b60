"""A process that restores a database and kills itself at a step of the way.

    python -m tests.backends.restore_child URL FOLDER STEP

FOLDER holds ``content`` and ``details.json``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.backends.postgresql import connector, restorer
from qadb.backends.postgresql.programs import runs as program_runs
from qadb.backends.postgresql.range_queue import QueuedRange
from qadb.backends.postgresql.restoring import claiming
from qadb.backends.postgresql.restoring.archive_restoring import ArchiveRestoring
from qadb.backends.values import ConnectionOptions
from tests.support.databases import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg2

    from qadb.settings import DatabaseUrl

OPTIONS = ConnectionOptions(application="qadb restore")


def die(*_: object, **__: object) -> None:
    """End as a machine does whose power goes."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_before(place: object, name: str, times: int = 1) -> None:
    """Die when a function is called that often."""
    genuine: Callable[..., object] = getattr(place, name)
    calls = count(1)

    def go_on_or_die(*arguments: object, **named: object) -> object:
        if next(calls) == times:
            die()
        return genuine(*arguments, **named)

    setattr(place, name, go_on_or_die)


class DiesAtCommit:
    """A connection that does not live to see the commit."""

    commit = die
    autocommit = True

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def cursor(self) -> psycopg2.extensions.cursor:
        """A cursor in one transaction."""
        self._connection.autocommit = False
        return self._connection.cursor()


def kill_at_commit() -> None:
    """Die between the last rename and its commit."""

    @contextmanager
    def dying(url: DatabaseUrl) -> Iterator[object]:
        with connector.maintenance_connection(url) as connection:
            yield DiesAtCommit(connection) if swapping else connection

    def swap(*arguments: object) -> object:
        swapping.append(True)
        return genuine(*arguments)

    swapping: list[bool] = []
    genuine: Callable[..., object] = claiming.PlaceClaim._swap
    setattr(claiming.PlaceClaim, "_swap", swap)  # noqa: B010 - for this process
    setattr(claiming, "maintenance_connection", dying)  # noqa: B010 - for this process


STEPS: dict[str, Callable[[], None]] = {
    "copied": lambda: kill_before(ArchiveRestoring, "run"),
    "restoring": lambda: kill_before(program_runs.ProgramRun, "finish"),
    "first rename": lambda: kill_before(claiming, "_rename", 1),
    "second rename": lambda: kill_before(claiming, "_rename", 2),
    "commit": kill_at_commit,
    "dropping": lambda: kill_before(claiming, "drop_database"),
    "none": lambda: None,
}

STEPS_OF_PIECES: dict[str, Callable[[], None]] = {
    "tables made": lambda: kill_before(QueuedRange, "give"),
    "loading": lambda: kill_before(QueuedRange, "end"),
    "loaded": lambda: kill_before(ArchiveRestoring, "run", 2),
    "indexed": lambda: kill_before(ArchiveRestoring, "run", 3),
    "no piece": lambda: None,
}


def main(url: str, folder: str, step: str) -> None:
    """Restore as the operation would."""
    (STEPS | STEPS_OF_PIECES)[step]()
    with open_database(url) as database:
        place = database.url
        claimed = restorer.claim(
            place, database.schema, OPTIONS, wait_seconds=0, on_wait=lambda _: None
        )
    details = json.loads((Path(folder) / "details.json").read_text())
    with (
        claimed as claim,
        (Path(folder) / "content").open("rb") as content,
        restorer.rebuild(
            content,
            place,
            OPTIONS,
            details=details,
            folder=None,
            jobs=2,
            on_bytes=lambda _: None,
        ) as rebuilt,
    ):
        claim.put_in_place(rebuilt, is_damaged=False, disconnect=False, drop_previous=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
