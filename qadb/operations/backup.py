"""Make a backup: one sealed file of one moment, proven and published before anything else goes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb import __version__
from qadb.backups.archive import ArchiveReader, ArchiveWriter
from qadb.backups.compression import choose_jobs
from qadb.backups.failures import explain_refusals
from qadb.backups.folder import Backup, choose_target, mark_verified
from qadb.backups.manifest import Manifest
from qadb.backups.partial import begin_partial, remove_abandoned
from qadb.backups.rotation import KeepRules
from qadb.errors import BackupDamaged, EmptyDatabase, InsufficientPrivilege, QadbError
from qadb.operations.common import (
    WAIT_LOCK_SECONDS,
    count_bytes,
    say_nothing,
    tell_about_waiting,
)
from qadb.operations.rotate import plan_rotation, rotate_backups
from qadb.operations.verify import prove_by_rebuilding
from qadb.progress import no_progress
from qadb.revisions.history import record_entry
from qadb.revisions.state import read_state_on, require_managed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.backends.base_backups import Moment
    from qadb.backups.compression import Compression
    from qadb.backups.manifest import Purpose
    from qadb.backups.partial import Partial
    from qadb.database import Database
    from qadb.progress import Progress
    from qadb.revisions.state import DatabaseState

# A database that this qadb can't migrate can be saved all the same.
_BEYOND_US = ("ahead", "forked")


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
class BackupOptions:
    """How a backup is made.

    Attributes:
        compression: of the content.
        jobs: how many threads compress, and processes rebuild; as many as there are cores if None.
        verify: prove that it restores, before it gets its name.
        keep: which older ones stay; rules that name anything verify too.
        purpose: what it is made for.
    """

    compression: Compression = "zstd"
    jobs: int | None = None
    verify: bool = False
    keep: KeepRules = field(default_factory=KeepRules)
    purpose: Purpose = "backup"

    @property
    def is_verifying(self) -> bool:
        """Older backups go only when the new one is proven."""
        return self.verify or not self.keep.is_empty

    @property
    def chosen_jobs(self) -> int:
        """The number of jobs, chosen where nobody did."""
        return self.jobs or choose_jobs()


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What a backup would be.

    Attributes:
        path: the name it would get.
        manifest: what is known of it by now; the content has no size yet.
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
        manifest = _describe(
            database,
            options,
            revision=_require_ours(database, connection).revision,
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
    for name in remove_abandoned(target.parent):
        notify(f"Removed what a backup that was interrupted had left: {name}.")
    with begin_partial(target) as partial:
        manifest, sha256 = _write(database, partial, options, progress)
        with ArchiveReader(partial.path) as archive:
            seal, size_bytes = archive.seal, archive.size_bytes
        partial.publish()
    if options.is_verifying:
        with explain_refusals(target):
            mark_verified(target, seal, datetime.now(UTC))
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


def _write(
    database: Database, partial: Partial, options: BackupOptions, progress: Progress
) -> tuple[Manifest, str]:
    """Write the partial file and prove it; returns its manifest and its SHA-256."""
    started = time.monotonic()
    dumper = database.backend.dumper
    size_bytes = _size_of(database)
    with (
        database.translated(),
        dumper.freeze(
            database.url,
            database.options,
            folder=partial.folder,
            on_bytes=count_bytes(progress, "Copying", size_bytes),
        ) as moment,
    ):
        state = _require_ours(database, moment.connection)
        with (
            explain_refusals(partial.target),
            partial.path.open("xb", buffering=0) as file,
            ThreadPoolExecutor(2, "qadb-backup") as beside,
        ):
            counting = beside.submit(database.backend.sizes.count_rows, moment.connection)
            checking = beside.submit(moment.check) if options.is_verifying else None
            writer = ArchiveWriter(file)
            with writer.content(
                dumper.content_name, options.compression, jobs=options.chosen_jobs
            ) as sink:
                moment.write(sink, count_bytes(progress, "Writing", moment.size_bytes))
            manifest = _describe(
                database,
                options,
                revision=state.revision,
                taken_at=moment.taken_at,
                tables=counting.result(),
                size_bytes=moment.size_bytes,
                content_bytes=sink.raw_bytes,
                elapsed_seconds=time.monotonic() - started,
                details=moment.details,
            )
            sha256 = writer.finish(manifest)
            if checking is not None:
                checking.result()
        if options.is_verifying:
            _prove(database, partial, moment, options, progress)
    return manifest, sha256


def _size_of(database: Database) -> int:
    with database.connect(read_only=True) as connection:
        return database.backend.sizes.database_size(connection)


def _require_there(database: Database) -> None:
    if not database.exists():
        raise EmptyDatabase(f"{database.url.shown} is not there.", hint="Set it up with: qadb init")


def _require_ours(database: Database, connection: Connection) -> DatabaseState:
    state = read_state_on(connection, database)
    if state.state not in _BEYOND_US:
        require_managed(database, state)
    return state


def _describe(
    database: Database,
    options: BackupOptions,
    *,
    revision: str | None,
    taken_at: datetime,
    tables: Mapping[str, int],
    size_bytes: int,
    content_bytes: int = 0,
    elapsed_seconds: float = 0.0,
    details: Mapping[str, object] | None = None,
) -> Manifest:
    return Manifest(
        taken_at=taken_at,
        elapsed_seconds=round(elapsed_seconds, 6),
        engine=database.url.engine,
        server_version=database.server_version or "",
        qadb_version=__version__,
        purpose=options.purpose,
        database=database.url.shown,
        revision=revision,
        tenants="all",
        tables=tables,
        size_bytes=size_bytes,
        content=database.backend.dumper.content_name,
        content_bytes=content_bytes,
        compression=options.compression,
        details=details or {},
    )


def _prove(
    database: Database,
    partial: Partial,
    moment: Moment,
    options: BackupOptions,
    progress: Progress,
) -> None:
    """Read the file back: its seal, and that its content is the moment's."""
    with ArchiveReader(partial.path) as archive:
        archive.check_seal(count_bytes(progress, "Verifying", archive.size_bytes))
        if not moment.is_comparable:
            prove_by_rebuilding(
                archive,
                database,
                folder=partial.folder,
                jobs=options.chosen_jobs,
                progress=progress,
            )
            return
        with archive.content() as content:
            if not moment.equals(content):
                raise BackupDamaged(
                    f"What was read back of {partial.target} is not what was written.",
                    hint="Look at the disk; the backup was not kept.",
                )


def _record(
    database: Database, path: Path, manifest: Manifest, notify: Callable[[str], None]
) -> bool:
    """Write the history, where this user may and nobody is in the way.

    What a restore is about to replace needs no more history.
    """
    if manifest.purpose == "restore":
        return False
    try:
        with database.connect() as connection:
            record_entry(
                connection,
                database,
                "backup",
                revision=manifest.revision,
                applied_at=manifest.taken_at,
                elapsed_seconds=manifest.elapsed_seconds,
                backup=str(path),
            )
    except QadbError as error:
        notify(f"The backup is made; the database's history was not written. {error.message}")
        return False
    return True
