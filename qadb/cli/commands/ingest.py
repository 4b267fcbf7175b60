"""The verb ``ingest``."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.verb import command
from qadb.cli.views.ingest import ingest_document, ingest_text, rejections, warnings
from qadb.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qadb.cli.context import CommandContext
    from qadb.operations.ingest import IngestedFile


@command
def ingest(
    context: CommandContext,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Files, folders, globs, or - for stdin; .gz too."),
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
        curl -s "$ARTIFACT_URL" | qadb ingest - --run-key nightly-42
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
    with context.progress() as progress, _telling_what_stays(context) as on_file:
        result = operation.ingest(
            database, find_sources(files), options, progress=progress, on_file=on_file
        )
    for warning in warnings(result):
        context.output.warn(warning)
    for reason, hint in rejections(result):
        context.output.error(reason, hint)
    return context.show(
        ingest_document(result),
        ingest_text(result, database.url.shown),
        exit_code=ExitCode.OK if result.is_complete else ExitCode.FAILED,
    )


@contextmanager
def _telling_what_stays(context: CommandContext) -> Iterator[Callable[[IngestedFile], None]]:
    """Yield a callback for files; if something ends the work, say how many are loaded."""
    loaded: list[str] = []

    def on_file(file: IngestedFile) -> None:
        if file.status in ("ingested", "replaced"):
            loaded.append(file.file)

    try:
        yield on_file
    except BaseException:
        if loaded:
            files = "1 file stays" if len(loaded) == 1 else f"{len(loaded)} files stay"
            context.output.note(f"{files} loaded; run the command again for the rest.")
        raise
