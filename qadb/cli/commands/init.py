"""The verb ``init``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.parameters import Wait
from qadb.cli.verb import command
from qadb.cli.views.drift import mismatch_document, mismatch_text
from qadb.cli.views.revisions import init_document, init_text
from qadb.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.database import Database
    from qadb.operations.adopt import AdoptResult

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
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt", help="Take over tables that were made without migrations, if they match."
        ),
    ] = False,
    wait: Wait = 0.0,
) -> ExitCode:
    """Create what is missing and migrate to the newest revision.

    Makes the folder and the SQLite file, or the PostgreSQL database where the role may, applies all
    revisions and writes the reference data. Run again it changes nothing.

    With --adopt it takes over a database that has the tables but no history: it compares them with
    what each revision makes, writes down the one that matches and migrates on from there. Where
    none does it lists the differences to the nearest, changes nothing and ends with 4.

    With --demo it then fills every table with a month of a web shop's tests and more, in the tenant
    default and one of its own. A database that holds anything else is refused and left alone.

    Example:
        qadb init
        DATABASE_URL=postgresql://qa@db.example.org/qadb qadb init --wait 30
        qadb init --adopt --database-url sqlite:///./old.sqlite3
        qadb init --demo --database-url sqlite:///./demo.sqlite3
    """
    if adopt:
        if demo or scale is not None or seed is not None:
            raise typer.BadParameter("--demo fills an empty database: it does not go with --adopt")
        return _adopt(context, wait)
    if not demo:
        if scale is not None or seed is not None:
            raise typer.BadParameter("--scale and --seed go with --demo")
        return _init(context, context.open_database(), wait)
    if context.settings.tenant is not None:
        raise ConfigurationError(
            "The demo fills several tenants and can't be confined to one.",
            hint="Leave out --tenant and QADB_TENANT.",
        )
    return _init_with_demo(context, wait, scale, seed)


def _init(
    context: CommandContext,
    database: Database,
    wait: float,
    adopted: AdoptResult | None = None,
) -> ExitCode:
    from qadb.operations.init import init_database  # noqa: PLC0415 - not for --help

    with context.progress() as progress:
        result = init_database(
            database,
            wait_seconds=wait,
            backup_folder=context.backup_folder(database, wanted=None),
            progress=progress,
            notify=context.output.note,
        )
    return context.show(
        init_document(result, adopted=adopted),
        init_text(result, database.url.shown, adopted=adopted),
    )


def _adopt(context: CommandContext, wait: float) -> ExitCode:
    from qadb.operations.adopt import adopt_database  # noqa: PLC0415 - not for --help

    database = context.open_database()
    if wait:
        database.wait_until_reachable(wait)
    adopted = adopt_database(database, notify=context.output.note)
    if adopted.differences:
        return context.show(
            mismatch_document(adopted),
            mismatch_text(adopted, database.url.shown),
            exit_code=ExitCode.CHECK_FAILED,
        )
    return _init(context, database, wait, adopted)


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
