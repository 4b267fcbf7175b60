"""The verb ``stats``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.verb import command
from qadb.cli.views.stats import stats_text
from qadb.cli.views.stats_document import stats_document

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.errors import ExitCode

MOST_DAYS = 36_500
MOST_LISTED = 100_000


@command
def stats(
    context: CommandContext,
    days: Annotated[
        int,
        typer.Option("--days", min=1, max=MOST_DAYS, metavar="N", help="Sum up the last N days."),
    ] = 30,
    top: Annotated[
        int,
        typer.Option(
            "--top", min=0, max=MOST_LISTED, metavar="N", help="Name at most N in each list."
        ),
    ] = 10,
    exact: Annotated[
        bool, typer.Option("--exact", help="Count large tables instead of estimating them.")
    ] = False,
) -> ExitCode:
    """Show how big the database is and how good the results are.

    Tables with rows and sizes; runs, results, pass rate, slow, failing and flaky tests of the runs
    that started in the last --days days; coverage, open bugs and security issues, performance
    against SLA, agents and tools. Sections that would be empty are left out.

    Example:
        qadb stats --days 7 --top 5
        qadb stats --json | jq .results.pass_rate
    """
    from qadb.operations.stats import read_stats  # noqa: PLC0415 - not for --help

    database = context.open_database()
    tenant = context.settings.tenant
    result = read_stats(database, days=days, top=top, exact=exact, tenant=tenant)
    return context.show(stats_document(result), stats_text(result, database.url.shown))
