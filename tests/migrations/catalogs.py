"""Reads catalogs for tests: by our readers, and as the engines' own tools write them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from qadb.backends.postgresql.catalog import read_catalog as read_postgresql
from qadb.backends.sqlite.catalog import read_catalog as read_sqlite
from qadb.models import schema

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from qadb.backends.catalog import Catalog


def read_catalog(connection: Connection) -> Catalog:
    """Read by the engine's reader, without the tool's own tables."""
    read = read_sqlite if connection.dialect.name == "sqlite" else read_postgresql
    return read(connection, ignore_tables=schema.own_tables)


def sqlite_schema_text(engine: Engine) -> list[str]:
    """What ``.schema`` prints, ordered."""
    with engine.connect() as connection:
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
        return list(connection.exec_driver_sql(query).scalars())


def pg_dump_text(program: Path, url: str) -> list[str]:
    """What ``pg_dump -s`` prints, without the random words that newer versions put around it."""
    command = [str(program), "--schema-only", "--dbname", url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ))
    return [line for line in done.stdout.splitlines() if "restrict" not in line.split(" ")[0]]
