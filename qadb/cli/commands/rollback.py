"""The verb ``rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qadb.cli.parameters import Backup, LockTimeout, WaitLock, Yes
from qadb.cli.verb import command
from qadb.cli.views.revisions import losses_question, rollback_document, rollback_text

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.errors import ExitCode


@command
def rollback(
    context: CommandContext,
    revision: Annotated[
        str | None, typer.Argument(metavar="REV", help="Go back to this revision, or to base.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, metavar="N", help="Go back N revisions.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; change nothing.")
    ] = False,
    yes: Yes = False,
    backup: Backup = None,
    lock_timeout: LockTimeout = 2.0,
    wait_lock: WaitLock = 60.0,
) -> ExitCode:
    """Go back to an earlier revision, one step unless told otherwise.

    Says first which tables and columns go and what they hold, then asks. Off a terminal it needs
    --yes. What is there is backed up before, on PostgreSQL with --backup.

    Example:
        qadb rollback --dry-run
        qadb rollback 001 --yes
    """
    from qadb.operations import rollback as operation  # noqa: PLC0415 - not for --help

    if revision is not None and steps is not None:
        raise typer.BadParameter("give a revision or --steps, not both")
    database = context.open_database()
    plan = operation.plan_rollback(database, revision, steps=steps)
    if dry_run:
        return context.show(rollback_document(plan), rollback_text(plan, database.url.shown))
    if plan.is_needed:
        context.confirm(losses_question(plan, database.url.shown), yes=yes)
    with context.progress() as progress:
        result = operation.rollback(
            database,
            plan,
            lock_timeout_seconds=lock_timeout,
            wait_lock_seconds=wait_lock,
            backup_folder=context.backup_folder(database, wanted=backup),
            progress=progress,
            notify=context.output.note,
        )
    return context.show(rollback_document(result), rollback_text(result, database.url.shown))
