"""A database at the newest revision, made once a session and copied for each test."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.operations.init import init_database
from tests.support.databases import open_database, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres_server import PostgresServer


@contextmanager
def migrated_template(server: PostgresServer | None, folder: Path) -> Iterator[str]:
    """Make the database that is copied; nobody may connect to it afterwards."""
    url = server.create_database() if server else f"sqlite:///{folder / 'template.sqlite3'}"
    with open_database(url) as database:
        init_database(database)
    yield url
    if server:
        server.drop_database(url)


@contextmanager
def copy_of(template: str, server: PostgresServer | None, folder: Path) -> Iterator[str]:
    """Copy the template; the copy is dropped afterwards, whoever is connected."""
    if server is None:
        target = folder / "migrated.sqlite3"
        shutil.copyfile(sqlite_file(template), target)
        yield f"sqlite:///{target}"
        return
    url = server.create_database(template=template)
    try:
        yield url
    finally:
        server.drop_database(url)
