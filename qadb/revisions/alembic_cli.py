"""What ``migrations/env.py`` runs: Alembic's own commands with qadb's settings and rules."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from alembic import context
from alembic.util import CommandError

from qadb.database import Database
from qadb.errors import QadbError
from qadb.revisions.autogenerate import compare_defaults, number_revision, render_plain_type
from qadb.revisions.environment import (
    SCRIPT_DIALECT_OPTIONS,
    StepRecorder,
    configure_options,
    keep_one_transaction,
)
from qadb.revisions.state import read_state, require_managed
from qadb.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from qadb.backends.values import LockHolder

logger = logging.getLogger(__name__)

LOCK_TIMEOUT_SECONDS = 2.0
WAIT_LOCK_SECONDS = 60.0


def run() -> None:
    """Run the Alembic command that loaded the environment.

    Raises:
        CommandError: one sentence and a hint, which Alembic shows without a traceback.
    """
    try:
        with Database.from_settings(load_settings(), application="qadb alembic") as database:
            database.url.refuse_memory()
            if context.is_offline_mode():
                _run_offline(database)
            else:
                _run_online(database)
    except QadbError as error:
        raise CommandError(error.explanation) from error


def _run_offline(database: Database) -> None:
    context.configure(
        dialect_name=database.url.engine,
        dialect_opts=SCRIPT_DIALECT_OPTIONS,
        literal_binds=True,
        **configure_options(database, _recorder(database)),  # type: ignore[arg-type]  # its options by name
    )
    keep_one_transaction(context.get_context(), database)
    with context.begin_transaction():
        context.run_migrations()


def _run_online(database: Database) -> None:
    if _applies_revisions():
        _apply(database)
    else:
        require_managed(database, read_state(database))
        with database.connect(read_only=True) as connection:
            _run_on(connection, database)


def _apply(database: Database) -> None:
    state = read_state(database)
    if state.state in ("absent", "empty"):
        database.create()
    else:
        require_managed(database, state)
    with (
        database.exclusive(wait_seconds=WAIT_LOCK_SECONDS, on_wait=_tell_once()),
        database.migrating(lock_timeout_seconds=LOCK_TIMEOUT_SECONDS) as connection,
    ):
        _run_on(connection, database)
        database.backend.connector.mark_as_own(connection, database.schema)


def _run_on(connection: Connection, database: Database) -> None:
    context.configure(
        connection=connection,
        target_metadata=database.schema.metadata,
        compare_server_default=compare_defaults(connection),
        process_revision_directives=number_revision,
        render_item=render_plain_type,
        **configure_options(database, _recorder(database)),  # type: ignore[arg-type]  # its options by name
    )
    keep_one_transaction(context.get_context(), database)
    with context.begin_transaction():
        context.run_migrations()


def _applies_revisions() -> bool:
    """Upgrade, downgrade and stamp name a destination; check, current and revision do not."""
    try:
        return context.get_revision_argument() is not None
    except KeyError:
        return False


def _recorder(database: Database) -> StepRecorder:
    return StepRecorder(database, lambda _revision, _seconds: None)


def _tell_once() -> Callable[[LockHolder], None]:
    has_told = False

    def on_wait(holder: LockHolder) -> None:
        nonlocal has_told
        if not has_told:
            logger.warning("Waiting for another operation (%s).", holder.description)
        has_told = True

    return on_wait
