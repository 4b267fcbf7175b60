"""Run pending revisions on a copy of the data, and tell what each does and how long it takes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

from qadb.database import Database
from qadb.errors import MigrationFailed, StorageFull
from qadb.operations.common import LOCK_TIMEOUT_SECONDS, count_steps
from qadb.operations.migrate import plan_revisions
from qadb.progress import no_progress
from qadb.revisions.catalogue import HEAD
from qadb.revisions.runner import run_revisions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qadb.progress import Progress
    from qadb.settings import DatabaseUrl

_ROOM = 2.0  # the copy, and its log while tables are rebuilt


@dataclass(frozen=True, slots=True)
class RowChange:
    """Rows of a table before and after a revision; 0 where it is not there."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class RehearsedStep:
    """What one revision did to the copy.

    Attributes:
        changes: tables whose number of rows is another afterwards, by name.
    """

    revision: str
    title: str
    elapsed_seconds: float
    changes: Mapping[str, RowChange]


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """What happened on the copy; the database itself is as it was.

    Attributes:
        size_bytes: of the database that was copied.
    """

    from_revision: str | None
    to_revision: str | None
    steps: tuple[RehearsedStep, ...]
    size_bytes: int


def rehearse(
    database: Database, target: str = HEAD, *, progress: Progress = no_progress
) -> RehearsalResult:
    """Copy the database and run its pending revisions on the copy, which is gone afterwards.

    Raises:
        EmptyDatabase, UnmanagedDatabase, RevisionMismatch: not a database that this can migrate.
        ConfigurationError: the engine makes no copies in passing.
        StorageFull: the folder for temporary files (TMPDIR) has no room for it.
        MigrationFailed: a revision fails on these data.
    """
    state, to_apply = plan_revisions(database, target)
    with database.connect(read_only=True) as connection:
        size_bytes = database.backend.sizes.database_size(connection)
    if not to_apply:
        return RehearsalResult(state.revision, state.revision, (), size_bytes)
    with TemporaryDirectory(prefix="qadb-rehearsal-") as folder:
        copying = database.backend.scratch.copied_place(
            database.engine(read_only=True), Path(folder)
        )
        _require_room(size_bytes)
        with database.translated(), copying as url:
            steps = _run(database, url, [r.revision for r in to_apply], progress)
    return RehearsalResult(state.revision, steps[-1].revision, steps, size_bytes)


def _require_room(size_bytes: int) -> None:
    folder = gettempdir()
    free = shutil.disk_usage(folder).free
    needed = size_bytes * _ROOM
    if free < needed:
        raise StorageFull(
            f"A rehearsal takes {needed:,.0f} bytes in {folder}, and {free:,} are free.",
            hint="Free some space, or name another folder in TMPDIR.",
        )


def _run(
    database: Database, url: DatabaseUrl, revisions: list[str], progress: Progress
) -> tuple[RehearsedStep, ...]:
    done = []
    on_step = count_steps(progress, len(revisions))
    with Database(url, database.schema) as copy:
        before = _count(copy)
        for revision in revisions:
            try:
                (applied,) = run_revisions(
                    copy,
                    "up",
                    revision,
                    lock_timeout_seconds=LOCK_TIMEOUT_SECONDS,
                    on_step=on_step,
                )
            except MigrationFailed as error:
                raise MigrationFailed(
                    f"The rehearsal failed. {error.message}",
                    hint="It ran on a copy: the database itself is as it was.",
                ) from error
            after = _count(copy)
            changes = {
                name: RowChange(before.get(name, 0), after.get(name, 0))
                for name in sorted({*before, *after})
                if before.get(name, 0) != after.get(name, 0)
            }
            done.append(RehearsedStep(revision, applied.title, applied.elapsed_seconds, changes))
            before = after
    return tuple(done)


def _count(database: Database) -> dict[str, int]:
    with database.connect(read_only=True) as connection:
        present = database.backend.connector.list_tables(connection)
        names = sorted(present - database.schema.own_tables - database.schema.unmapped)
        sizes = database.backend.sizes.table_sizes(connection, names, exact=True)
    return {size.name: size.rows for size in sizes}
