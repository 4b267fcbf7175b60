"""Make a database of a backup's content beside its place: as its engine does, or by moving rows.

What is moved was checked as its own engine's first. The tables are made by the revisions that the
backup stands at.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qadb.database import Database
from qadb.errors import RestoreRefused
from qadb.operations.common import LOCK_TIMEOUT_SECONDS, count_bytes, count_steps
from qadb.operations.transfer import Transfer
from qadb.operations.verify import (
    check_rebuilt,
    other_engine,
    rebuilder_of,
    rebuilding,
    rebuilding_unchecked,
)
from qadb.owned_folders import temporary_folder
from qadb.revisions.catalogue import read_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource
    from qadb.backends.base_transfers import RowTaker
    from qadb.backups.manifest import Manifest
    from qadb.progress import Progress
    from qadb.settings import DatabaseUrl


def find_row_taker(manifest: Manifest, database: Database) -> RowTaker | None:
    """Who takes the backup's rows over; None where the engine restores its own backup.

    Raises:
        RestoreRefused: the backup is of an engine whose rows this one does not take.
    """
    if manifest.engine == database.backend.name:
        return None
    taker = database.backend.row_taker
    if taker is None or manifest.engine not in taker.engines:
        raise other_engine(manifest, database.url)
    if manifest.revision is None:
        raise RestoreRefused(
            "The backup was taken before the first revision, so it holds nothing to move.",
            hint="Set the database up with: qadb init",
        )
    return taker


def check_requirements(database: Database, manifest: Manifest) -> None:
    """Raise, with all that is missing, unless the place has what the backup needs.

    Raises:
        RestoreRefused: roles or extensions are missing, or the server takes no writes.
        InsufficientPrivilege: this user may not put a database there.
        MissingProgram: a program of the engine is not there.
    """
    taker = find_row_taker(manifest, database)
    if taker is not None:
        taker.check_place(database.url)
    else:
        restorer = database.backend.restorer
        restorer.check_requirements(database.url, database.options, manifest.details)


@contextmanager
def rebuild(
    content: ByteSource, database: Database, manifest: Manifest, *, jobs: int, progress: Progress
) -> Iterator[DatabaseUrl]:
    """Make a database of the content beside its place; it is removed at the end.

    It stays where it was put in place meanwhile, for which `check` has to find it sound.

    Raises:
        BackupDamaged: the content can't be rebuilt; where rows are moved, that it is not sound.
        RestoreRefused: content of another engine has a row that can't be stored here.
        StorageFull: there is no room for it.
    """
    taker = find_row_taker(manifest, database)
    if taker is not None:
        with _rebuild_by_moving(
            content, database, manifest, taker, jobs=jobs, progress=progress
        ) as rebuilt:
            yield rebuilt
        return
    with rebuilding_unchecked(
        content,
        database,
        manifest,
        folder=None,
        jobs=jobs,
        on_bytes=count_bytes(progress, "Restoring", manifest.content_bytes),
    ) as rebuilt:
        yield rebuilt


def check(database: Database, rebuilt: DatabaseUrl, manifest: Manifest) -> None:
    """Raise BackupDamaged unless what `rebuild` made is sound and holds what the manifest says."""
    if find_row_taker(manifest, database) is None:
        check_rebuilt(database, rebuilt, manifest)
    else:  # its rows were counted and its keys checked where they were moved
        database.backend.restorer.check(rebuilt)


@contextmanager
def _rebuild_by_moving(
    content: ByteSource,
    database: Database,
    manifest: Manifest,
    taker: RowTaker,
    *,
    jobs: int,
    progress: Progress,
) -> Iterator[DatabaseUrl]:
    """Rebuild the content as its own engine does, and move all rows in one transaction."""
    with taker.new_database(database.url, database.options) as made_url:
        with (
            temporary_folder("qadb-restore-") as folder,
            _rebuild_source(
                content, database, manifest, folder, jobs=jobs, progress=progress
            ) as source,
            Database(made_url, database.schema, options=database.options) as made,
        ):
            _run_revisions(made, manifest, progress)
            with source.connect(read_only=True) as reading, made.connect() as writing:
                Transfer(source, reading, made, writing, taker, manifest, progress).run()
        taker.settle(database.url, made_url, database.options)
        yield made_url


@contextmanager
def _rebuild_source(
    content: ByteSource,
    database: Database,
    manifest: Manifest,
    folder: Path,
    *,
    jobs: int,
    progress: Progress,
) -> Iterator[Database]:
    """Rebuild the content in a folder as its own engine does, and check it."""
    with rebuilder_of(manifest, database, folder) as source:
        with rebuilding(
            content,
            source,
            manifest,
            folder=folder,
            jobs=jobs,
            on_bytes=count_bytes(progress, "Restoring", manifest.content_bytes),
        ):
            pass
        yield source


def _run_revisions(made: Database, manifest: Manifest, progress: Progress) -> None:
    """Make the tables as they were when the backup was taken."""
    from qadb.revisions.runner import run_revisions  # noqa: PLC0415 - Alembic is slow to load

    catalogue = read_catalogue(made.schema.migrations)
    steps = len(catalogue.revisions) - len(catalogue.after(manifest.revision))
    run_revisions(
        made,
        "up",
        manifest.revision,
        lock_timeout_seconds=LOCK_TIMEOUT_SECONDS,
        on_step=count_steps(progress, steps),
    )
