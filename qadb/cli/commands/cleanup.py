"""The verb ``cleanup``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.coercion import parse_duration
from qadb.cli.parameters import LockTimeout, WaitLock, Yes
from qadb.cli.verb import command
from qadb.cli.views.cleanup import (
    cleanup_document,
    cleanup_question,
    cleanup_text,
    policies_text,
)

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.database import Database
    from qadb.errors import ExitCode
    from qadb.operations.cleanup import CleanupOptions

_Days = Annotated[
    int | None,
    typer.Option(
        "--days",
        min=1,
        max=36_500,
        metavar="N",
        help="Runs older than N days go, or what --table names, instead of the policies' days.",
    ),
]
_Table = Annotated[
    list[str] | None,
    typer.Option("--table", metavar="NAME", help="This table's policy alone; may be repeated."),
]
_KeepLast = Annotated[
    int | None,
    typer.Option(
        "--keep-last",
        min=0,
        metavar="N",
        help="The newest N runs of each application and environment stay, however old.",
    ),
]
_Archive = Annotated[
    Path | None,
    typer.Option(
        "--archive", metavar="DIR", help="Write what goes as Parquet there, verified, first."
    ),
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would go and stay; delete nothing.")
]
_List = Annotated[
    bool, typer.Option("--list", help="Show each policy, who says so, and what it would free.")
]
_Fast = Annotated[
    bool, typer.Option("--fast", help="Large transactions without pauses: writers may wait long.")
]
_MaxSeconds = Annotated[
    float | None,
    typer.Option(
        "--max-seconds",
        metavar="DURATION",
        parser=parse_duration,
        help="Stop cleanly after this time, such as 600 or 10m; the next cleanup goes on.",
    ),
]


@command
def cleanup(
    context: CommandContext,
    days: _Days = None,
    table: _Table = None,
    keep_last: _KeepLast = None,
    archive: _Archive = None,
    dry_run: _DryRun = False,
    list_them: _List = False,
    fast: _Fast = False,
    max_seconds: _MaxSeconds = None,
    yes: Yes = False,
    lock_timeout: LockTimeout = 2.0,
    wait_lock: WaitLock = 60.0,
) -> ExitCode:
    """Delete what is older than the retention policies say, and give the space back.

    Runs go whole, with all that belongs to them. What is protected, held, or referred to by a
    baseline, an open bug or an unresolved analysis stays. It says first what goes, then asks; off
    a terminal it needs --yes. Others can write meanwhile.

    Example:
        qadb cleanup --list
        qadb cleanup --dry-run --days 90
        qadb cleanup --yes --keep-last 10 --max-seconds 10m
    """
    from qadb.operations import cleanup as operation  # noqa: PLC0415 - not for --help

    options = operation.CleanupOptions(
        wishes=operation.Wishes(days, keep_last, tuple(table or ())),
        settings=context.settings.retention,
        tenant=context.settings.tenant,
        is_fast=fast,
        max_seconds=max_seconds,
        archive=None if archive is None else archive.expanduser().absolute(),
        now=datetime.now(UTC),  # what is announced is what is done
    )
    database = context.open_database()
    if dry_run or list_them or not yes:
        plan = operation.plan_cleanup(database, options, with_sizes=dry_run or list_them)
        if list_them:
            return context.show(cleanup_document(plan), policies_text(plan))
        if dry_run:
            return context.show(cleanup_document(plan), cleanup_text(plan, database.url.shown))
        if plan.deleted:
            context.confirm(cleanup_question(plan, database.url.shown), yes=yes)
    return _carry_out(context, database, options, lock_timeout, wait_lock)


def _carry_out(
    context: CommandContext,
    database: Database,
    options: CleanupOptions,
    lock_timeout: float,
    wait_lock: float,
) -> ExitCode:
    from qadb.operations import cleanup as operation  # noqa: PLC0415 - not for --help

    with context.progress() as progress:
        report = operation.cleanup(
            database,
            options,
            lock_timeout_seconds=lock_timeout,
            wait_lock_seconds=wait_lock,
            progress=progress,
            notify=context.output.note,
        )
    return context.show(cleanup_document(report), cleanup_text(report, database.url.shown))
