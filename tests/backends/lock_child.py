"""A process that takes the operations' lock of a database and says what happens.

    python -m tests.backends.lock_child URL WAIT_SECONDS

Prints ``waiting <holder>`` once, then ``held``; holds the lock until its standard input ends.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.backends.values import ConnectionOptions
from qadb.database import Database
from qadb.errors import QadbError
from qadb.settings import parse_database_url

if TYPE_CHECKING:
    from qadb.backends.values import LockHolder


def main(url: str, wait_seconds: str) -> int:
    """Hold the lock as an operation of another process would."""
    waited = False

    def on_wait(holder: LockHolder) -> None:
        nonlocal waited
        if not waited:
            say(f"waiting {holder.description}")
        waited = True

    parsed = parse_database_url(url, source="the test", base_dir=Path.cwd())
    database = Database(parsed, options=ConnectionOptions(application="qadb child"))
    try:
        with database, database.exclusive(wait_seconds=float(wait_seconds), on_wait=on_wait):
            say("held")
            sys.stdin.read()
    except QadbError as error:
        say(f"{type(error).__name__} {int(error.exit_code)} {error.message}")
        return int(error.exit_code)
    return 0


def say(line: str) -> None:
    """Write a line to the test."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
