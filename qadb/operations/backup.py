"""Make a backup: one sealed file of one moment, proven and published before anything else goes."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.backups.archive import ArchiveReader
from qadb.backups.folder import Backup, choose_target
from qadb.backups.partial import begin_partial, remove_leftovers
from qadb.errors import EmptyDatabase, InsufficientPrivilege, QadbError
from qadb.operations.backup_file import BackupOptions, describe, require_ours, write_file
from qadb.operations.common import WAIT_LOCK_SECONDS, say_nothing, tell_about_waiting
from qadb.operations.rotate import plan_rotation, rotate_backups
from qadb.operations.verify import note_verified, remove_rebuilt
from qadb.progress import no_progress
from qadb.revisions.history import record_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.backups.manifest import Manifest
    from qadb.database import Database
    from qadb.progress import Progress

__all__ = [
    "BackupOptions",
    "BackupPlan",
    "BackupResult",
    "create_backup",
    "plan_backup",
    "record_backup",
    "write_backup",
]


@dataclass(frozen=True, slots=True)
class BackupResult:
    """What was made.

    Attributes:
        path: the file.
        size_bytes: of the file.
        sha256: of the file.
        manifest: what the backup says of itself.
        is_verified: it was read back and found to be the database's content, whole and sound.
        is_recorded: the database's history has it.
        removed: older backups that are gone, oldest first.
    """

    path: Path
    size_bytes: int
    sha256: str
    manifest: Manifest
    is_verified: bool
    is_recorded: bool
    removed: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What a backup would be.

    Attributes:
        path: the name it would get.
        manifest: what is known of it by now; the content has no name and no size yet.
        removed: older backups that would go.
    """

    path: Path
    manifest: Manifest
    removed: tuple[Path, ...]


def plan_backup(
    database: Database, place: Path, options: BackupOptions | None = None
) -> BackupPlan:
    """Say what `create_backup` would make and remove; writes nothing.

    Raises:
        EmptyDatabase, UnmanagedDatabase: there is nothing of ours to save.
    """
    options = options or BackupOptions()
    _require_there(database)
    now = datetime.now(UTC)
    target = choose_target(place, database.url, now)
    with database.connect(read_only=True) as connection:
        manifest = describe(
            database,
            options,
            revision=require_ours(database, connection).revision,
            taken_at=now,
            tables=database.backend.sizes.count_rows(connection),
            size_bytes=database.backend.sizes.database_size(connection),
        )
    coming = Backup(target, 0, manifest, now)
    removed = plan_rotation(target.parent, database.url, options.keep, coming=coming)
    return BackupPlan(target, manifest, tuple(backup.path for backup in removed))


def create_backup(
    database: Database,
    place: Path,
    options: BackupOptions | None = None,
    *,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> BackupResult:
    """Make a backup of the whole database while others write to it.

    Args:
        database: what to save; its revision may be newer than this qadb.
        place: a folder, where it gets a name of its own, or a file whose name ends in ``.qadb``.
        options: how.
        wait_lock_seconds: how long to wait for another operation.
        progress: told of bytes.
        notify: told what somebody may want to know.

    Raises:
        EmptyDatabase, UnmanagedDatabase: there is nothing of ours to save.
        LockNotAvailable: another operation did not end in time.
        BackupDamaged: it does not verify, because the database or the disk is damaged.
        StorageFull, InsufficientPrivilege: the file can't be written.
    """
    _require_there(database)
    with _locked(database, wait_lock_seconds, notify):
        return write_backup(database, place, options, progress=progress, notify=notify)


def write_backup(
    database: Database,
    place: Path,
    options: BackupOptions | None = None,
    *,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> BackupResult:
    """The same for a caller who holds the operations' lock."""
    options = options or BackupOptions()
    target = choose_target(place, database.url, datetime.now(UTC))
    for name in remove_leftovers(target.parent):
        notify(f"Removed what a backup that was interrupted had left: {name}.")
    if options.is_verifying:
        remove_rebuilt(database, notify)
    with begin_partial(target) as partial:
        manifest, sha256 = write_file(database, partial, options, progress)
        with ArchiveReader(partial.path) as archive:
            seal, size_bytes = archive.seal, archive.size_bytes
        partial.publish()
    if options.is_verifying:
        note_verified(target, seal, datetime.now(UTC), notify)
    is_recorded = _record(database, target, manifest, notify)
    removed = rotate_backups(target.parent, database.url, options.keep, notify=notify)
    return BackupResult(
        target, size_bytes, sha256, manifest, options.is_verifying, is_recorded, removed
    )


@contextmanager
def _locked(
    database: Database, wait_seconds: float, notify: Callable[[str], None]
) -> Iterator[None]:
    """Keep other operations out; a reader without rights may save what it reads all the same."""
    with ExitStack() as stack:
        try:
            stack.enter_context(
                database.exclusive(wait_seconds=wait_seconds, on_wait=tell_about_waiting(notify))
            )
        except InsufficientPrivilege as error:
            notify(f"Going on without the operations' lock. {error.message}")
        yield


def _require_there(database: Database) -> None:
    if not database.exists():
        raise EmptyDatabase(f"{database.url.shown} is not there.", hint="Set it up with: qadb init")


def _record(
    database: Database, path: Path, manifest: Manifest, notify: Callable[[str], None]
) -> bool:
    """Write the history, where this user may and nobody is in the way.

    What a restore replaces next loses its history with it: nobody has to wait to write there.
    """
    if manifest.purpose == "restore":
        return False
    try:
        with database.connect() as connection:
            record_backup(connection, database, path, manifest)
    except QadbError as error:
        notify(f"The backup is made; the database's history was not written. {error.message}")
        return False
    return True


def record_backup(
    connection: Connection, database: Database, path: Path, manifest: Manifest
) -> None:
    """Write that there is this backup, in the caller's transaction."""
    record_entry(
        connection,
        database,
        "backup",
        revision=manifest.revision,
        applied_at=manifest.taken_at,
        elapsed_seconds=manifest.elapsed_seconds,
        backup=str(path),
    )
