"""The verb ``migrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.parameters import Backup, LockTimeout, WaitLock
from qadb.cli.verb import command
from qadb.cli.views.rehearsal import rehearsal_document, rehearsal_text
from qadb.cli.views.revisions import migrate_document, migrate_text, script_text

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.database import Database
    from qadb.errors import ExitCode


@command
def migrate(
    context: CommandContext,
    target: Annotated[
        str, typer.Option("--target", metavar="REV", help="Stop at this revision.")
    ] = "head",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be applied; change nothing.")
    ] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL script; change nothing.")
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="Run them on a copy of the data and tell what happens (SQLite)."
        ),
    ] = False,
    backup: Backup = None,
    lock_timeout: LockTimeout = 2.0,
    wait_lock: WaitLock = 60.0,
) -> ExitCode:
    """Apply pending revisions.

    Two at once are safe: one works, the other waits and then finds nothing to do. On SQLite all
    pending revisions are one transaction; on PostgreSQL each is one, and a retry resumes. What is
    there is backed up first, on PostgreSQL with --backup.

    Example:
        qadb migrate
        qadb migrate --target 002 --dry-run
        qadb migrate --rehearse
    """
    from qadb.operations import migrate as operation  # noqa: PLC0415 - not for --help

    if rehearse and (sql or dry_run):
        raise typer.BadParameter("--rehearse runs what --dry-run and --sql only tell: name one")
    database = context.open_database()
    if sql:
        plan, script = operation.render_migration(database, target)
        return context.show({**migrate_document(plan), "sql": script}, script_text(script))
    if rehearse:
        return _rehearse(context, database, target)
    if dry_run:
        result = operation.plan_migration(database, target)
    else:
        with context.progress() as progress:
            result = operation.migrate(
                database,
                target,
                lock_timeout_seconds=lock_timeout,
                wait_lock_seconds=wait_lock,
                backup_folder=context.backup_folder(database, wanted=backup),
                progress=progress,
                notify=context.output.note,
            )
    return context.show(migrate_document(result), migrate_text(result, database.url.shown))


def _rehearse(context: CommandContext, database: Database, target: str) -> ExitCode:
    from qadb.operations.rehearse import rehearse  # noqa: PLC0415 - not for --help

    with context.progress() as progress:
        result = rehearse(database, target, progress=progress)
    return context.show(rehearsal_document(result), rehearsal_text(result, database.url.shown))
