"""Prove that a backup restores: by restoring it beside, and looking at what comes out."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.backends.registry import ENGINES, load_backend
from qadb.backups.archive import ArchiveReader
from qadb.backups.folder import mark_verified
from qadb.database import Database
from qadb.errors import BackupDamaged, RestoreRefused
from qadb.operations.common import count_bytes, say_nothing
from qadb.owned_folders import temporary_folder
from qadb.progress import no_progress
from qadb.revisions.state import read_state_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource, OnBytes
    from qadb.backups.manifest import Manifest
    from qadb.progress import Progress
    from qadb.settings import DatabaseUrl


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What was proven.

    Attributes:
        path: the file.
        size_bytes: of the file.
        sha256: of the file.
        manifest: what it says of itself, which holds.
        verified_at: now, UTC.
        is_noted: that stands beside the file, too.
    """

    path: Path
    size_bytes: int
    sha256: str
    manifest: Manifest
    verified_at: datetime
    is_noted: bool


def verify_backup(
    database: Database,
    path: Path,
    *,
    jobs: int,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> VerifyResult:
    """Prove that a backup is whole and restores; nothing of it stays.

    Args:
        database: its engine rebuilds the backup: a server makes a scratch database for it. A
            backup of an engine that needs none is rebuilt by itself, whatever this one is.
        path: the backup.
        jobs: how many processes may work.
        progress: told of bytes.
        notify: told what somebody may want to know.

    Raises:
        BackupNotFound: there is no such file.
        BackupDamaged: it does not verify.
        RestoreRefused: the engine is not the backup's.
    """
    with ArchiveReader(path) as archive:
        sha256 = archive.check_seal(count_bytes(progress, "Reading", archive.size_bytes))
        with temporary_folder("qadb-verify-") as folder:
            prover = rebuilder_of(archive.manifest, database, folder)
            remove_rebuilt(prover, notify)
            prove_by_rebuilding(archive, prover, folder=folder, jobs=jobs, progress=progress)
        seal, size_bytes, manifest = archive.seal, archive.size_bytes, archive.manifest
    verified_at = datetime.now(UTC)
    is_noted = note_verified(path, seal, verified_at, notify)
    return VerifyResult(path, size_bytes, sha256, manifest, verified_at, is_noted)


def note_verified(
    path: Path, seal: str, verified_at: datetime, notify: Callable[[str], None]
) -> bool:
    """Note beside a backup that it was proven; where that can't be written it is told instead."""
    try:
        mark_verified(path, seal, verified_at)
    except OSError as error:
        notify(f"That it was verified can't be noted beside {path}: {error.strerror}.")
        return False
    return True


def rebuilder_of(manifest: Manifest, database: Database, folder: Path) -> Database:
    """The database whose engine rebuilds the backup: this one, or a file in the folder.

    Raises:
        RestoreRefused: the backup is of another engine, which needs a server for it.
    """
    if manifest.engine == database.backend.name:
        return database
    if manifest.engine not in ENGINES:
        raise other_engine(manifest, database.url)
    place = load_backend(manifest.engine).restorer.place_in(folder)
    if place is None:
        raise other_engine(manifest, database.url)
    return Database(place, database.schema, options=database.options)


def other_engine(manifest: Manifest, url: DatabaseUrl) -> RestoreRefused:
    """Return the failure for a backup that this engine can't make anything of."""
    return RestoreRefused(
        f"The backup is of {manifest.engine}, and {url.shown} is of {url.engine}.",
        hint="Name a database of the backup's engine in QADB_DATABASE_URL. Rows are moved from "
        "SQLite to PostgreSQL, and not back.",
    )


def remove_rebuilt(database: Database, notify: Callable[[str], None]) -> None:
    """Remove what was rebuilt beside a database by a process that was killed."""
    with database.translated():
        found = database.backend.restorer.remove_leftovers(database.url, database.options)
    for name in found:
        notify(f"Removed what a restore or a check that was interrupted had left: {name}.")


def prove_by_rebuilding(
    archive: ArchiveReader, database: Database, *, folder: Path, jobs: int, progress: Progress
) -> None:
    """Rebuild the content, check it, and take it away again."""
    with (
        archive.content() as content,
        rebuilding(
            content,
            database,
            archive.manifest,
            folder=folder,
            jobs=jobs,
            on_bytes=count_bytes(progress, "Rebuilding", archive.manifest.content_bytes),
        ),
    ):
        pass


@contextmanager
def rebuilding(
    content: ByteSource,
    database: Database,
    manifest: Manifest,
    *,
    folder: Path | None,
    jobs: int,
    on_bytes: OnBytes,
) -> Iterator[DatabaseUrl]:
    """Rebuild content as `rebuilding_unchecked` does, and check it."""
    with rebuilding_unchecked(
        content, database, manifest, folder=folder, jobs=jobs, on_bytes=on_bytes
    ) as rebuilt:
        check_rebuilt(database, rebuilt, manifest)
        yield rebuilt


@contextmanager
def rebuilding_unchecked(
    content: ByteSource,
    database: Database,
    manifest: Manifest,
    *,
    folder: Path | None,
    jobs: int,
    on_bytes: OnBytes,
) -> Iterator[DatabaseUrl]:
    """Rebuild content as the database's engine does; it is removed at the end.

    Args:
        content: a backup's.
        database: whose engine rebuilds it, beside it.
        manifest: what the backup says of itself.
        folder: for files on the way; None for the engine's own choice.
        jobs: how many processes may work.
        on_bytes: told how much of the content is read.

    Raises:
        BackupDamaged: it can't be rebuilt.
    """
    with (
        database.translated(),
        database.backend.restorer.rebuild(
            content,
            database.url,
            database.options,
            details=manifest.details,
            folder=folder,
            jobs=jobs,
            on_bytes=on_bytes,
        ) as rebuilt,
    ):
        yield rebuilt


def check_rebuilt(database: Database, rebuilt: DatabaseUrl, manifest: Manifest) -> None:
    """Raise BackupDamaged unless a rebuilt database is sound and holds what the manifest says."""
    database.backend.restorer.check(rebuilt)
    with (
        Database(rebuilt, database.schema, options=database.options) as made,
        made.connect(read_only=True) as connection,
    ):
        revision = read_state_on(connection, made).revision
        rows = made.backend.sizes.count_rows(connection)
    if revision != manifest.revision:
        raise BackupDamaged(
            f"The backup says revision {manifest.revision}, and holds {revision or 'none'}."
        )
    for table in sorted({*rows, *manifest.tables}):
        if rows.get(table) != manifest.tables.get(table):
            raise BackupDamaged(
                f"The backup says {manifest.tables.get(table, 'no')} rows of {table}, "
                f"and holds {rows.get(table, 'no')}."
            )
