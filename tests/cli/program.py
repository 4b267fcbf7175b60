"""Run the command line with the tests' verbs, as a process: ``python -m tests.cli.program``."""

from __future__ import annotations

from qadb.cli import progress
from qadb.cli.app import create_app
from tests.cli.verbs import VERBS

app = create_app(VERBS)

if __name__ == "__main__":
    progress.DELAY_SECONDS = 0.1  # tests are in more of a hurry than people
    app(prog_name="qadb")
