"""Migrating from nothing to head against stock Alembic on the same revisions, and finding drift.

Stock Alembic has an environment as `alembic init` writes one: no lock, no history, no guards, no
verified success, and on SQLite no transaction around the whole.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.pairs import compare, run_process
from benchmarks.places import PostgresqlPlace, SqlitePlace
from benchmarks.servers import running_server
from qadb.database import Database
from qadb.revisions.drift import find_drift
from qadb.settings.parsing import parse_database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Place

VERSIONS = Path(__file__).resolve().parent.parent / "migrations" / "versions"
DRIFT_LIMIT_SECONDS = {"SQLite": 0.5, "PostgreSQL": 2.0}
ENVIRONMENT = """
from alembic import context
from sqlalchemy import create_engine

url = context.get_x_argument(as_dictionary=True)["url"]
with create_engine(url).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
"""


def run(*, tiny: bool) -> Iterator[str]:
    """Yield a line a comparison."""
    rounds = 1 if tiny else 9
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        stock = _write_stock_environment(Path(folder) / "stock")
        for place in (SqlitePlace(Path(folder)), PostgresqlPlace(server)):
            yield _compare(place, stock, rounds)
            yield _drift(place, rounds)


def _write_stock_environment(folder: Path) -> Path:
    folder.mkdir()
    (folder / "env.py").write_text(ENVIRONMENT)
    ini = folder / "alembic.ini"
    ini.write_text(
        f"[alembic]\nscript_location = {folder}\npath_separator = os\n"
        f"version_locations = {VERSIONS}\n"
    )
    return ini


def _compare(place: Place, stock: Path, rounds: int) -> str:
    url = ""

    def begin_anew() -> None:
        nonlocal url
        if url:
            place.drop(url)
        url = place.create()

    def ours() -> None:
        environ = {**os.environ, "QADB_DATABASE_URL": url}
        run_process([sys.executable, "-m", "qadb", "init"], environ=environ)()

    def theirs() -> None:
        target = url.replace("postgresql://", "postgresql+psycopg2://")
        command = [sys.executable, "-m", "alembic", "-c", str(stock), "-x", f"url={target}"]
        subprocess.run([*command, "upgrade", "head"], check=True, stderr=subprocess.DEVNULL)

    name = f"{place.name}, from nothing to head: qadb init / alembic upgrade"
    return compare(name, ours, theirs, limit=1.2, rounds=rounds, before=begin_anew).report()


def _drift(place: Place, rounds: int) -> str:
    url = place.create()
    run_process(
        [sys.executable, "-m", "qadb", "init", "--quiet"],
        environ={**os.environ, "QADB_DATABASE_URL": url},
    )()
    parsed = parse_database_url(url, source="the benchmark", base_dir=Path.cwd())
    seconds = []
    for _ in range(rounds):
        with Database(parsed) as database:  # a new one each time: nothing is kept
            started = time.perf_counter()
            assert find_drift(database).status == "none"
            seconds.append(time.perf_counter() - started)
    place.drop(url)
    limit = DRIFT_LIMIT_SECONDS[place.name.split()[0]]
    return f"{place.name}, drift: {sorted(seconds)[len(seconds) // 2]:.2f} s (at most {limit:g})"
