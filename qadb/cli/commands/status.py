"""The verb ``status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.parameters import CheckFormat, Wait
from qadb.cli.verb import command
from qadb.cli.views.github import github_commands
from qadb.cli.views.junit import junit_xml
from qadb.cli.views.status import status_checks, status_document, status_text
from qadb.errors import ExitCode

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.operations.status import StatusResult


@command
def status(
    context: CommandContext,
    check: Annotated[
        bool, typer.Option("--check", help="End with 4 unless the database is current.")
    ] = False,
    drift: Annotated[
        bool,
        typer.Option(
            "--drift", help="Compare the schema with what its revisions make, object by object."
        ),
    ] = False,
    output_format: CheckFormat = "text",
    wait: Wait = 0.0,
) -> ExitCode:
    """Show where the database stands.

    Engine, size, revision, what is pending and what was done. Never writes, on a database that is
    not qadb's either. With --drift it runs the revisions in an empty place and compares what they
    make with what is there; on PostgreSQL that takes the right to make a namespace or a database.

    Example:
        qadb status --check || qadb migrate
        qadb status --check --drift --format junit > qadb.xml
    """
    from qadb.operations.status import read_status  # noqa: PLC0415 - not for --help

    if output_format == "json":
        context.output.as_json = True
    database = context.open_database()
    result = read_status(database, wait_seconds=wait, with_drift=drift)
    failed = check and not result.is_well
    exit_code = ExitCode.CHECK_FAILED if failed else ExitCode.OK
    if output_format in {"github", "junit"}:
        return context.show_raw(_render(output_format, result, database.url.shown), exit_code)
    return context.show(
        status_document(result),
        status_text(result, database.url.shown, database.url.engine, database.server_version),
        exit_code=exit_code,
    )


def _render(output_format: str, result: StatusResult, where: str) -> str:
    checks = status_checks(result, where)
    return github_commands(checks) if output_format == "github" else junit_xml("qadb", checks)
