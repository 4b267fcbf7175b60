"""Writes revisions as a SQL script, for a database that somebody migrates by hand.

The script moves the version table like a real run. It writes no history: that table tells what qadb
itself ran. Running it, whole or not at all, is its user's work.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from qadb.errors import MigrationFailed, QadbError
from qadb.revisions.environment import (
    SCRIPT_DIALECT_OPTIONS,
    StepRecorder,
    configure_options,
    find_steps,
    keep_one_transaction,
    script_directory,
)
from qadb.revisions.runner import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.migration import MigrationStep

    from qadb.database import Database
    from qadb.schema import Schema


def render_sql(database: Database, current: str | None, target: str | None) -> str:
    """Return the script that brings a database from ``current`` up to ``target``.

    Raises:
        MigrationFailed: a revision can't be written without a database to look at.
    """
    buffer = io.StringIO()
    try:
        _render(database, current, target, buffer)
    except QadbError:
        raise
    except Exception as error:
        reason = first_line(database.url.redact(str(error))) or type(error).__name__
        raise MigrationFailed(
            f"The revisions can't be written as a script: {reason}",
            hint="Run them with: qadb migrate",
        ) from error
    return _keep_version_table(buffer.getvalue(), database.schema)


def _render(
    database: Database, current: str | None, target: str | None, buffer: io.StringIO
) -> None:
    script = script_directory(database.schema)

    running: str | None = None

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> Iterator[MigrationStep]:
        nonlocal running
        for step in find_steps(script, "up", target, heads):
            running = step.revision.revision
            yield step

    options = configure_options(database, StepRecorder(database, lambda *_: None))
    context = MigrationContext.configure(
        dialect_name=database.url.engine,
        dialect_opts=SCRIPT_DIALECT_OPTIONS,
        opts={
            **options,
            "fn": steps,
            "script": script,
            "as_sql": True,
            "output_buffer": buffer,
            "literal_binds": True,
            "starting_rev": current,
        },
    )
    keep_one_transaction(context, database, lambda: running)
    with context.begin_transaction(), Operations.context(context):
        context.run_migrations()


def _keep_version_table(script: str, schema: Schema) -> str:
    """A database that was taken back to its beginning has the table, and Alembic can't know."""
    created = f"CREATE TABLE {schema.version_table} ("
    return script.replace(created, created.replace("TABLE", "TABLE IF NOT EXISTS"), 1)
