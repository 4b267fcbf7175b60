"""The verb ``health``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qadb.cli.coercion import parse_duration
from qadb.cli.parameters import Wait
from qadb.cli.verb import command
from qadb.errors import ExitCode

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext


@command
def health(
    context: CommandContext,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="Run these alone: ids or groups, with commas."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", metavar="ID", help="Leave these out: ids or groups, with commas."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Run those as well that read all of the database.")
    ] = False,
    fail_on: Annotated[
        Literal["warn", "crit", "never"],
        typer.Option("--fail-on", help="End with 4 when anything is this bad, or worse."),
    ] = "crit",
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            metavar="DURATION",
            parser=parse_duration,
            show_default=False,
            help="How long all may take together; the rest is not run. 5 s, with --deep no end.",
        ),
    ] = None,
    wait: Wait = 0.0,
    list_them: Annotated[
        bool, typer.Option("--list", help="Show the checks that there are; run none.")
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="ID", help="Tell what a check looks at, and why."),
    ] = None,
) -> ExitCode:
    """Check whether the database is well, and tell what to do where it is not.

    Schema, data, engine and backups, each check by itself in a short read-only transaction. What
    nobody could tell, and what the budget left no time for, counts as a warning; where nothing
    could be checked the command ends with 4.

    Example:
        qadb health
        qadb health --only schema --fail-on warn
        qadb health --explain QADB-S01
    """
    from qadb.cli.views import health as views  # noqa: PLC0415 - not for --help
    from qadb.operations import health as operation  # noqa: PLC0415 - not for --help

    if list_them or explain is not None:
        return _show_catalogue(context, explain)
    usual = None if deep else operation.DEFAULT_BUDGET_SECONDS
    options = operation.HealthOptions(
        only=tuple(only or ()),
        skip=tuple(skip or ()),
        deep=deep,
        budget_seconds=usual if budget is None else budget,
        backup_dir=context.settings.backup_dir,
        settings=context.settings.health,
    )
    database = context.open_database()
    report = operation.check_health(database, options, wait_seconds=wait)
    return context.show(
        views.health_document(report),
        views.health_text(report, database.url.shown),
        exit_code=ExitCode.CHECK_FAILED if report.fails(fail_on) else ExitCode.OK,
    )


def _show_catalogue(context: CommandContext, name: str | None) -> ExitCode:
    from qadb.cli.views import health as views  # noqa: PLC0415 - not for --help
    from qadb.health.catalogue import all_checks, statement_of  # noqa: PLC0415 - the same
    from qadb.health.selection import find_check  # noqa: PLC0415 - the same

    database = context.open_database()
    checks = all_checks(database.schema)
    if name is None:
        return context.show(views.catalogue_document(checks), views.catalogue_text(checks))
    check = find_check(checks, name)
    statement = statement_of(check, database.backend)
    return context.show(views.check_document(check, statement), views.check_text(check, statement))
