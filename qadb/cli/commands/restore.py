"""The verb ``restore``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.parameters import Jobs, WaitLock, Yes
from qadb.cli.verb import command
from qadb.cli.views.restore import (
    plan_document,
    plan_text,
    restore_document,
    restore_question,
    restore_text,
    verify_document,
    verify_text,
)
from qadb.errors import ConfigurationError

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.database import Database
    from qadb.errors import ExitCode
    from qadb.operations.restore import RestoreOptions, RestorePlan


_Source = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help="A backup, or latest: this database's newest in QADB_BACKUP_DIR."
    ),
]
_VerifyOnly = Annotated[
    bool, typer.Option("--verify-only", help="Prove that it restores; change nothing.")
]
_To = Annotated[
    str | None, typer.Option("--to", metavar="URL", help="Restore into this database instead.")
]
_ToEnv = Annotated[
    str | None,
    typer.Option(
        "--to-env",
        metavar="NAME",
        help="The same, with the URL in this variable: arguments show in the process list.",
    ),
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be replaced; change nothing.")
]
_Map = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="FILE",
        help="PATH is a SQLite database of your own: bring its rows in as this TOML file says.",
    ),
]
_Rejects = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        metavar="FILE",
        help="With --map: where rows go that can't be stored; rejected-TIME.jsonl here.",
    ),
]
_NoSafetyBackup = Annotated[
    bool, typer.Option("--no-safety-backup", help="Don't back up what is replaced (SQLite).")
]
_DropPrevious = Annotated[
    bool, typer.Option("--drop-previous", help="Don't keep the former database (PostgreSQL).")
]
_Disconnect = Annotated[
    bool, typer.Option("--disconnect", help="End the sessions that are in the way (PostgreSQL).")
]


@command
def restore(
    context: CommandContext,
    path: _Source,
    verify_only: _VerifyOnly = False,
    to: _To = None,
    to_env: _ToEnv = None,
    dry_run: _DryRun = False,
    mapping: _Map = None,
    rejects: _Rejects = None,
    no_safety_backup: _NoSafetyBackup = False,
    drop_previous: _DropPrevious = False,
    disconnect: _Disconnect = False,
    yes: Yes = False,
    jobs: Jobs = None,
    wait_lock: WaitLock = 60.0,
) -> ExitCode:
    """Put a backup in the database's place.

    It is rebuilt and checked beside the database first, and then takes its place in one step.
    What is replaced is saved before, on SQLite as a backup, on PostgreSQL under another name.
    Off a terminal a database that holds anything is replaced only with --yes.
    A SQLite backup goes into PostgreSQL too, and so does any SQLite database with --map.

    Example:
        qadb restore latest
        qadb restore backups/qadb-20261126T020000Z.qadb --verify-only
        qadb restore latest --to sqlite:///./copy.sqlite3
        qadb restore old.sqlite3 --map mapping.toml --to postgresql://db/qa
    """
    from qadb.operations import restore as operation  # noqa: PLC0415 - not for --help

    if context.options.tenant is not None:
        raise typer.BadParameter("a backup holds all tenants; leave --tenant out")
    if mapping is not None:
        if verify_only or drop_previous or disconnect or no_safety_backup:
            raise typer.BadParameter("--map replaces nothing: give --to, --dry-run and --rejects")
        database = context.open_database(_target(to, to_env))
        source = Path(path).expanduser().absolute()
        return _import(context, database, source, mapping, rejects, wait_lock, dry_run=dry_run)
    if rejects is not None:
        raise typer.BadParameter("--rejects goes with --map")
    source = _find(context, path)
    database = context.open_database(_target(to, to_env))
    if verify_only:
        return _verify(context, database, source, jobs)
    with context.progress() as progress:
        plan = operation.plan_restore(database, source, progress=progress)
    if dry_run:
        return context.show(plan_document(plan), plan_text(plan, database.url.shown))
    if plan.replaces:
        context.confirm(restore_question(plan, database.url.shown), yes=yes)
    options = operation.RestoreOptions(
        jobs=jobs,
        safety_folder=None if no_safety_backup else context.settings.backup_dir,
        disconnect=disconnect,
        drop_previous=drop_previous,
    )
    return _carry_out(context, database, plan, options, wait_lock)


def _carry_out(
    context: CommandContext,
    database: Database,
    plan: RestorePlan,
    options: RestoreOptions,
    wait_lock: float,
) -> ExitCode:
    from qadb.operations.restore import restore as operation  # noqa: PLC0415 - not for --help

    with context.progress() as progress:
        result = operation(
            database,
            plan,
            options,
            wait_lock_seconds=wait_lock,
            progress=progress,
            notify=context.output.note,
        )
    return context.show(restore_document(result), restore_text(result, database.url.shown))


def _find(context: CommandContext, path: str) -> Path:
    from qadb.backups.folder import LATEST, find_latest  # noqa: PLC0415 - not for --help

    if path == LATEST:
        return find_latest(context.settings.backup_dir, context.settings.database_url)
    return Path(path).expanduser().absolute()


def _target(to: str | None, to_env: str | None) -> str | None:
    if to is not None and to_env is not None:
        raise typer.BadParameter("give --to or --to-env, not both")
    if to_env is None:
        return to
    url = os.environ.get(to_env)
    if not url:
        raise ConfigurationError(
            f"The variable {to_env} that --to-env names is not set.",
            hint=f"Set it to the database's URL: export {to_env}=postgresql://…",
        )
    return url


def _verify(
    context: CommandContext, database: Database, source: Path, jobs: int | None
) -> ExitCode:
    from qadb.backups.compression import choose_jobs  # noqa: PLC0415 - not for --help
    from qadb.operations.verify import verify_backup  # noqa: PLC0415 - not for --help

    with context.progress() as progress:
        result = verify_backup(
            database,
            source,
            jobs=jobs or choose_jobs(),
            progress=progress,
            notify=context.output.note,
        )
    return context.show(verify_document(result), verify_text(result, context.elapsed_seconds))


def _import(
    context: CommandContext,
    database: Database,
    source: Path,
    mapping: Path,
    rejects: Path | None,
    wait_lock: float,
    *,
    dry_run: bool,
) -> ExitCode:
    from qadb.cli.views import imported as views  # noqa: PLC0415 - not for --help
    from qadb.operations.importing import import_rows as operation  # noqa: PLC0415 - not for --help

    plan = operation.plan_import(database, source, mapping.expanduser().absolute())
    if dry_run:
        return context.show(views.plan_document(plan), views.plan_text(plan, database.url.shown))
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    place = (rejects or Path(f"rejected-{stamp}.jsonl")).expanduser().absolute()
    with context.progress() as progress:
        result = operation.import_rows(
            database,
            plan,
            place,
            wait_lock_seconds=wait_lock,
            progress=progress,
            notify=context.output.note,
        )
    return context.show(
        views.import_document(result), views.import_text(result, database.url.shown)
    )
