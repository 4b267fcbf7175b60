"""The program: its verbs, its shared options and its way in.

Owns the list of verbs. Adding one is a line here, a thin file in ``commands/`` and one in
``views/``.
"""

from __future__ import annotations

import gc
import inspect
from typing import TYPE_CHECKING, Annotated

import typer

from qadb import __version__
from qadb.cli.context import Invocation
from qadb.cli.group import VerbGroup
from qadb.cli.options import GlobalOptions, add_global_options

if TYPE_CHECKING:
    from collections.abc import Mapping

OBJECTS_BETWEEN_COLLECTIONS = 50_000  # imports make many that stay: looking at them is a tenth

VERBS: Mapping[str, str] = {
    "init": "qadb.cli.commands.init:init",
    "migrate": "qadb.cli.commands.migrate:migrate",
    "rollback": "qadb.cli.commands.rollback:rollback",
    "status": "qadb.cli.commands.status:status",
    "backup": "qadb.cli.commands.backup:backup",
    "restore": "qadb.cli.commands.restore:restore",
    "ingest": "qadb.cli.commands.ingest:ingest",
    "health": "qadb.cli.commands.health:health",
    "stats": "qadb.cli.commands.stats:stats",
    "cleanup": "qadb.cli.commands.cleanup:cleanup",
    "config": "qadb.cli.commands.config:config",
}

_HELP = """The database your test results live in, and the one command that runs it.

Global options may stand before or after the command. Exit codes: 0 done, 1 failed, 2 wrong usage
or configuration, 3 database not reached, 4 a check did not pass, 5 locked.
"""


def create_app(verbs: Mapping[str, str]) -> typer.Typer:
    """Make the program for a set of verbs: name → ``package.module:function``."""
    group = type("Verbs", (VerbGroup,), {"verbs": verbs})
    app = typer.Typer(
        name="qadb",
        cls=group,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,  # Rich's help doubles the start-up time
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback(help=_HELP)(add_global_options(_remember, [_VERSION]))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qadb {__version__}")
        raise typer.Exit


_VERSION = inspect.Parameter(
    "version",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ],
)


def _remember(
    typer_context: typer.Context, options: GlobalOptions, values: dict[str, object]
) -> None:
    """Keep the options that stand before the verb until the verb runs."""
    del values
    invocation = typer_context.find_object(Invocation)
    if invocation is not None:
        invocation.options = options


app = create_app(VERBS)


def main() -> None:
    """Run the process's command line; ends the process."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        app(prog_name="qadb")
    finally:
        gc.freeze()  # or the interpreter would look at every object once more to end itself
