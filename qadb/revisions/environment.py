"""How Alembic is configured, for our own runner and for the ``alembic`` command alike."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.script import ScriptDirectory

from qadb.errors import MigrationFailed
from qadb.revisions.catalogue import BASE
from qadb.revisions.history import record_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from alembic.runtime.migration import MigrationContext, MigrationInfo, RevisionStep
    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.revisions.history import Direction
    from qadb.schema import Schema

# A driver's own style of parameters would double every % of a script that no driver will read.
SCRIPT_DIALECT_OPTIONS = {"paramstyle": "named"}


def script_directory(schema: Schema) -> ScriptDirectory:
    """Open the schema's Alembic folder without any ini file."""
    config = Config()
    config.set_main_option("script_location", str(schema.migrations).replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def find_steps(
    script: ScriptDirectory, direction: Direction, target: str | None, heads: tuple[str, ...]
) -> Iterator[RevisionStep]:
    """Yield what leads from where a database stands to a revision; None is base."""
    find = script._upgrade_revs if direction == "up" else script._downgrade_revs  # noqa: SLF001 - as alembic.command does
    # Alembic's own annotation wants one head; alembic.command passes the tuple as well.
    yield from find(target or BASE, heads)  # type: ignore[arg-type]


class StepRecorder:
    """Writes a history row for each step, in the step's own transaction.

    Args:
        on_step: called after each step with revision and seconds.
        backup: the backup that was made before the run.
    """

    def __init__(
        self,
        database: Database,
        on_step: Callable[[str, float], None],
        *,
        backup: str | None = None,
    ) -> None:
        self._database = database
        self._on_step = on_step
        self._backup = backup
        self._started_at = datetime.now(UTC)
        self._started = time.perf_counter()

    def __call__(self, *, ctx: MigrationContext, step: MigrationInfo, **_: object) -> None:
        """Record one step; Alembic calls this after the step and before its commit."""
        elapsed_seconds = time.perf_counter() - self._started
        revision = step.up_revision_id or ""
        connection: Connection | None = ctx.connection
        if connection is not None and not ctx.as_sql:
            self._database.backend.migrations.check_step(
                connection, revision, fewer_rows=_declared_losses(step)
            )
            record_entry(
                connection,
                self._database,
                "migrate" if step.is_upgrade else "rollback",
                revision=revision,
                direction="up" if step.is_upgrade else "down",
                applied_at=self._started_at,
                elapsed_seconds=elapsed_seconds,
                backup=self._backup,
            )
        self._on_step(revision, elapsed_seconds)
        self._started_at = datetime.now(UTC)
        self._started = time.perf_counter()


def _declared_losses(step: MigrationInfo) -> frozenset[str]:
    """Tables of which the revision's file says that it leaves fewer rows in them."""
    module = getattr(step.up_revision, "module", None)
    return frozenset(getattr(module, "FEWER_ROWS", ()))


def configure_options(database: Database, recorder: StepRecorder) -> dict[str, object]:
    """Options of ``MigrationContext.configure`` that both ways in share."""
    return {
        "version_table": database.schema.version_table,
        "transactional_ddl": True,
        "transaction_per_migration": database.backend.migrations.transaction_per_migration,
        "on_version_apply": (recorder,),
        "compare_type": True,
        "include_name": _include_name(database.schema),
        "render_as_batch": True,  # one history for both engines, and SQLite alters only so
    }


def keep_one_transaction(
    context: MigrationContext,
    database: Database,
    running: Callable[[], str | None] = lambda: None,
) -> None:
    """Let an autocommit block be a clear failure where all that is pending is one transaction.

    Alembic would find that the transaction is not its own, and raise an AssertionError.
    """
    if database.backend.migrations.transaction_per_migration:
        return

    def refuse() -> AbstractContextManager[None]:
        revision = running()
        raise MigrationFailed(
            f"{f'Revision {revision}' if revision else 'A revision'} opens an autocommit block; on "
            f"{database.backend.name} all that are pending are one transaction.",
            hint="Nothing was changed. Let the revision open it on other engines only, by "
            "op.get_context().dialect.name.",
        )

    context.autocommit_block = refuse  # type: ignore[method-assign, assignment]  # its class is Alembic's


def _include_name(
    schema: Schema,
) -> Callable[[str | None, str, Mapping[str, str | None]], bool]:
    """Keep the tool's own tables out of comparisons, and what no metadata describes."""
    hidden = {"table": schema.own_tables | schema.unmapped}

    def include(name: str | None, kind: str, _parents: Mapping[str, str | None]) -> bool:
        return name not in hidden.get(kind, schema.unmapped)

    return include
