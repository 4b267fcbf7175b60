"""The verb ``ingest``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.verb import command
from qadb.cli.views.ingest import file_note, ingest_document, ingest_text
from qadb.errors import ExitCode

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext


@command
def ingest(
    context: CommandContext,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Files, folders, globs, or - for stdin; .gz too."),
    ],
    format_name: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="The format; recognised by default."),
    ] = None,
    application: Annotated[
        str, typer.Option("--application", metavar="A", help="Code of the application tested.")
    ] = "default",
    environment: Annotated[
        str | None,
        typer.Option("--environment", metavar="E", help="Name of the environment it ran in."),
    ] = None,
    run_key: Annotated[
        str | None,
        typer.Option(
            "--run-key", metavar="K", help="Load all files into the one run of this name."
        ),
    ] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", metavar="B", help="Branch that was tested.")
    ] = None,
    commit: Annotated[
        str | None, typer.Option("--commit", metavar="C", help="Commit that was tested.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Swap what a run holds for these files.")
    ] = False,
) -> ExitCode:
    """Load test reports.

    Each file is one transaction and, without --run-key, one run. The same file again adds nothing.
    A bad file leaves no row and stops no other; the command then ends with 1. Branch, commit and
    build URL are taken from the CI service's environment where they are not given.

    Example:
        qadb ingest build/reports --application shop
        pytest --junit-xml=- | qadb ingest - --run-key nightly-42
    """
    from qadb.operations import ingest as operation  # noqa: PLC0415 - not for --help
    from qadb.operations.ci_environment import read_build_facts  # noqa: PLC0415 - not for --help
    from qadb.operations.report_sources import find_sources  # noqa: PLC0415 - not for --help

    options = operation.IngestOptions(
        tenant=context.settings.tenant or operation.DEFAULT_TENANT,
        application=application,
        environment=environment,
        run_key=run_key,
        branch=branch,
        commit_sha=commit,
        replace=replace,
        format=format_name,
        build=read_build_facts(os.environ),
    )
    database = context.open_database()
    with context.progress() as progress:
        result = operation.ingest(database, find_sources(files), options, progress=progress)
    for note in file_note(result):
        context.output.warn(note)
    return context.show(
        ingest_document(result),
        ingest_text(result, database.url.shown),
        exit_code=ExitCode.OK if result.is_complete else ExitCode.FAILED,
    )
