"""Runs revisions by Alembic's own parts, so that these tests need none of the tool's runner."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, make_url

from qadb.models import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.migration import MigrationStep
    from sqlalchemy import Connection, Engine

HEAD = "010"


def open_engine(url: str) -> Engine:
    """Open a database as the tool does: foreign keys checked, transactions that hold DDL."""
    place = make_url(url)
    if place.get_backend_name() == "postgresql":
        return create_engine(place.set(drivername="postgresql+psycopg2"))
    engine = create_engine(place)

    @event.listens_for(engine, "connect")
    def set_up(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # a sqlite3.Connection
        connection.execute("PRAGMA foreign_keys = ON")  # type: ignore[attr-defined]  # the same

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def upgrade(connection: Connection, target: str = HEAD) -> None:
    """Go up to a revision in the caller's transaction."""
    _run(MigrationContext.configure(connection, opts=_options("up", target)))


def downgrade(connection: Connection, target: str = "base") -> None:
    """Go down to a revision in the caller's transaction."""
    _run(MigrationContext.configure(connection, opts=_options("down", target)))


def write_sql(dialect_name: str, direction: str, target: str, file: TextIO) -> None:
    """Write the statements of a run without a database."""
    options = {**_options(direction, target), "as_sql": True, "output_buffer": file}
    if direction == "down":
        options["starting_rev"] = HEAD
    _run(MigrationContext.configure(dialect_name=dialect_name, opts=options))


def script_directory() -> ScriptDirectory:
    """Return the revisions as Alembic sees them."""
    return ScriptDirectory(str(schema.migrations))


def _run(context: MigrationContext) -> None:
    with Operations.context(context):
        context.run_migrations()


def _options(direction: str, target: str) -> dict[str, object]:
    script = script_directory()
    find = script._upgrade_revs if direction == "up" else script._downgrade_revs

    def steps(revision: tuple[str, ...], _context: MigrationContext) -> Iterator[MigrationStep]:
        return iter(find(target, revision))  # type: ignore[arg-type]  # Alembic's hint is too narrow

    return {
        "fn": steps,
        "script": script,
        "version_table": schema.version_table,
        "target_metadata": schema.metadata,
    }
