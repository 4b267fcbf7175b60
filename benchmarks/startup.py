"""Start-up: help against Alembic's help, status against importing SQLAlchemy's ORM."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.pairs import compare, run_process

if TYPE_CHECKING:
    from collections.abc import Iterator

QADB = (sys.executable, "-m", "qadb")


def run(*, tiny: bool) -> Iterator[str]:
    """Yield a line a comparison."""
    rounds = 1 if tiny else 15
    alembic = str(Path(sys.executable).with_name("alembic"))
    yield compare(
        "qadb --help / alembic --help",
        run_process([*QADB, "--help"]),
        run_process([alembic, "--help"]),
        limit=0.5,
        rounds=rounds,
    ).report()
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "QADB_DATABASE_URL": f"sqlite:///{folder}/qa.sqlite3"}
        subprocess.run([*QADB, "init", "--quiet"], check=True, env=environ)
        yield compare(
            "qadb status / import sqlalchemy.orm",
            run_process([*QADB, "status"], environ=environ),
            run_process([sys.executable, "-c", "import sqlalchemy.orm"]),
            limit=1.3,
            rounds=rounds,
        ).report()
