"""What the revisions really make: they are run in an empty place, and its catalog is read.

The place is of the database's own engine and version, so its words compare with the live ones.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from qadb.errors import MigrationFailed, NotComparable
from qadb.revisions.environment import find_steps, keep_one_transaction, script_directory
from qadb.revisions.runner import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.runtime.migration import MigrationStep
    from sqlalchemy import Connection

    from qadb.backends.catalog import Catalog
    from qadb.database import Database


@contextmanager
def migrated_place(
    database: Database,
    revision: str | None,
    *,
    before_steps: Callable[[Connection], None] = lambda _connection: None,
    after_step: Callable[[str, Connection], None] = lambda _revision, _connection: None,
) -> Iterator[Connection]:
    """Run the revisions up to one in an empty place, for as long as the block lasts.

    Args:
        database: what the place should be like.
        revision: where to stop; None is base.
        before_steps: called with the connection before the first revision.
        after_step: called after each revision, with its number.

    Raises:
        NotComparable: there is no place to be had, or a revision does not run in one; the hint says
            what it takes.
    """
    empty_place = database.backend.scratch.empty_place(database.url, database.engine())
    with database.translated(), empty_place as place:
        before_steps(place)
        if revision is not None:
            _run(database, place, revision, after_step)
        yield place


def catalog_at(database: Database, revision: str | None) -> Catalog:
    """The catalog that the revisions make up to one; raises as `migrated_place`."""
    with migrated_place(database, revision) as place:
        return read_catalog(database, place)


def read_catalog(database: Database, connection: Connection) -> Catalog:
    """The catalog of a connection's place, without the tool's own tables."""
    return database.backend.catalog.read_catalog(
        connection, ignore_tables=database.schema.own_tables
    )


def _run(
    database: Database,
    place: Connection,
    revision: str,
    after_step: Callable[[str, Connection], None],
) -> None:
    script = script_directory(database.schema)
    running = revision

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> Iterator[MigrationStep]:
        nonlocal running
        for step in find_steps(script, "up", revision, heads):
            running = step.revision.revision
            yield step
            after_step(running, place)

    options = {
        "version_table": database.schema.version_table,
        "transactional_ddl": True,
        "fn": steps,
        "script": script,
    }
    context = _InOneTransaction(place.dialect, place, options, None)
    keep_one_transaction(context, database, lambda: running)
    try:
        with context.begin_transaction(), Operations.context(context):
            context.run_migrations()
    except NotComparable:
        raise
    except MigrationFailed as error:
        raise NotComparable(error.message, hint=error.hint) from error
    except Exception as error:
        if getattr(error, "connection_invalidated", False):  # no fault of the revision
            raise
        reason = first_line(database.url.redact(str(error))) or type(error).__name__
        raise NotComparable(
            f"Revision {running} does not run where there are no rows: {reason}",
            hint="Only running it on a copy of the data shows what it does.",
        ) from error


class _InOneTransaction(MigrationContext):
    """Runs an autocommit block in the transaction that will be rolled back."""

    @contextmanager
    def autocommit_block(self) -> Iterator[None]:
        """Stay in the transaction."""
        yield
