"""The verb ``backup``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer evaluates the annotations below
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qadb.cli.parameters import Jobs, WaitLock
from qadb.cli.verb import command
from qadb.cli.views.backup import (
    backup_document,
    backup_text,
    list_document,
    list_text,
    plan_document,
    plan_text,
)

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.errors import ExitCode


def _keep(period: str) -> typer.models.OptionInfo:
    text = "Keep the newest N backups" if period == "last" else f"Keep one a {period}, N of them"
    option = {"day": "daily", "week": "weekly", "month": "monthly"}.get(period, period)
    info: typer.models.OptionInfo = typer.Option(
        f"--keep-{option}", min=1, metavar="N", help=f"{text}; what no rule keeps is removed."
    )
    return info


@command
def backup(
    context: CommandContext,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH", help="A folder, or a file NAME.qadb; QADB_BACKUP_DIR by default."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove that it restores before it gets its name.")
    ] = False,
    compress: Annotated[
        Literal["zstd", "gzip", "none"], typer.Option("--compress", help="How to compress it.")
    ] = "zstd",
    keep_last: Annotated[int | None, _keep("last")] = None,
    keep_daily: Annotated[int | None, _keep("day")] = None,
    keep_weekly: Annotated[int | None, _keep("week")] = None,
    keep_monthly: Annotated[int | None, _keep("month")] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="Show the backups that are there; make none.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made and removed; do nothing.")
    ] = False,
    jobs: Jobs = None,
    wait_lock: WaitLock = 60.0,
) -> ExitCode:
    """Save the whole database, all tenants, in one file.

    The file shows one moment, whatever others write meanwhile, and is sealed with a SHA-256. It
    replaces nothing. The --keep options verify it first, then remove older backups of this
    database that none of them keeps. On PostgreSQL it takes pg_dump and pg_restore.

    Example:
        qadb backup
        qadb backup /srv/backups --verify --keep-daily 7 --keep-weekly 4
        qadb backup --list
    """
    from qadb.backups.rotation import KeepRules  # noqa: PLC0415 - not for --help
    from qadb.operations import backup as operation  # noqa: PLC0415 - not for --help

    if context.options.tenant is not None:
        raise typer.BadParameter("a backup holds all tenants; leave --tenant out")
    place = (path or context.settings.backup_dir).expanduser().absolute()
    if list_them:
        return _show_list(context, place)
    keep = KeepRules(keep_last, keep_daily, keep_weekly, keep_monthly)
    options = operation.BackupOptions(compress, jobs, verify, keep)
    database = context.open_database()
    if dry_run:
        plan = operation.plan_backup(database, place, options)
        return context.show(plan_document(plan), plan_text(plan))
    with context.progress() as progress:
        result = operation.create_backup(
            database,
            place,
            options,
            wait_lock_seconds=wait_lock,
            progress=progress,
            notify=context.output.note,
        )
    return context.show(backup_document(result), backup_text(result, context.elapsed_seconds))


def _show_list(context: CommandContext, place: Path) -> ExitCode:
    from qadb.backups.folder import list_backups  # noqa: PLC0415 - not for --help

    backups = list_backups(place)
    return context.show(list_document(backups), list_text(backups, place))
