"""The verb ``status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.parameters import Wait
from qadb.cli.verb import command
from qadb.cli.views.status import status_document, status_text
from qadb.errors import ExitCode

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext


@command
def status(
    context: CommandContext,
    check: Annotated[
        bool, typer.Option("--check", help="End with 4 unless the database is current.")
    ] = False,
    wait: Wait = 0.0,
) -> ExitCode:
    """Show where the database stands.

    Engine, size, revision, what is pending and what was applied. Never writes, on a database
    that is not qadb's either.

    Example:
        qadb status --check || qadb migrate
    """
    from qadb.operations.status import read_status  # noqa: PLC0415 - not for --help

    database = context.open_database()
    result = read_status(database, wait_seconds=wait)
    failed = check and not result.is_current
    return context.show(
        status_document(result),
        status_text(result, database.url.shown, database.url.engine, database.server_version),
        exit_code=ExitCode.CHECK_FAILED if failed else ExitCode.OK,
    )
