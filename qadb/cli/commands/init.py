"""The verb ``init``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.parameters import Wait
from qadb.cli.verb import command
from qadb.cli.views.revisions import init_document, init_text
from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.errors import ExitCode

LARGEST_SCALE = 1_000


@command
def init(
    context: CommandContext,
    demo: Annotated[
        bool, typer.Option("--demo", help="Add a small believable data set to look at.")
    ] = False,
    scale: Annotated[
        int | None,
        typer.Option(
            "--scale",
            min=1,
            max=LARGEST_SCALE,
            metavar="N",
            help="With --demo: N times as many tests and runs (1 makes some 9,000 results).",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", help="With --demo: draw other data; 1 unless told otherwise."
        ),
    ] = None,
    wait: Wait = 0.0,
) -> ExitCode:
    """Create what is missing and migrate to the newest revision.

    Makes the folder and the SQLite file, or the PostgreSQL database where the role may, applies all
    revisions and writes the reference data. Run again it changes nothing.

    With --demo it then fills every table with a month of a web shop's tests and more, in the tenant
    default and one of its own. A database that holds anything else is refused and left alone.

    Example:
        qadb init
        DATABASE_URL=postgresql://qa@db.example.org/qadb qadb init --wait 30
        qadb init --demo --database-url sqlite:///./demo.sqlite3
    """
    if not demo:
        if scale is not None or seed is not None:
            raise typer.BadParameter("--scale and --seed go with --demo")
        return _init(context, wait)
    if context.settings.tenant is not None:
        raise ConfigurationError(
            "The demo fills several tenants and can't be confined to one.",
            hint="Leave out --tenant and QADB_TENANT.",
        )
    return _init_with_demo(context, wait, scale, seed)


def _init(context: CommandContext, wait: float) -> ExitCode:
    from qadb.operations.init import init_database  # noqa: PLC0415 - not for --help

    database = context.open_database()
    with context.progress() as progress:
        result = init_database(
            database, wait_seconds=wait, progress=progress, notify=context.output.note
        )
    return context.show(init_document(result), init_text(result, database.url.shown))


def _init_with_demo(
    context: CommandContext, wait: float, scale: int | None, seed: int | None
) -> ExitCode:
    from qadb.operations import demo as operation  # noqa: PLC0415 - not for --help

    database = context.open_database()
    with context.progress() as progress:
        result = operation.init_demo(
            database,
            scale=scale,
            seed=seed,
            wait_seconds=wait,
            progress=progress,
            notify=context.output.note,
        )
    return context.show(
        init_document(result.init, result.demo),
        init_text(result.init, database.url.shown, result.demo),
    )
