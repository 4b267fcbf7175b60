"""The verb ``init``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.parameters import Wait
from qadb.cli.verb import command
from qadb.cli.views.revisions import init_document, init_text

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.errors import ExitCode


@command
def init(
    context: CommandContext,
    wait: Wait = 0.0,
) -> ExitCode:
    """Create what is missing and migrate to the newest revision.

    Makes the folder and the SQLite file, or the PostgreSQL database where the role may, applies all
    revisions and writes the reference data. Run again it changes nothing.

    Example:
        qadb init
        DATABASE_URL=postgresql://qa@db.example.org/qadb qadb init --wait 30
    """
    from qadb.operations.init import init_database  # noqa: PLC0415 - not for --help

    database = context.open_database()
    with context.progress() as progress:
        result = init_database(
            database, wait_seconds=wait, progress=progress, notify=context.output.note
        )
    return context.show(init_document(result), init_text(result, database.url.shown))
