"""Restore a backup: rebuild and check it beside its place, then let it take the place in one step.

Until that step nothing of the former database is touched, and what it was is kept.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from qadb.backups.archive import ArchiveReader
from qadb.backups.compression import choose_jobs
from qadb.errors import (
    BackupDamaged,
    DatabaseInUse,
    NotADatabase,
    QadbError,
    RestoreRefused,
    UnmanagedDatabase,
)
from qadb.operations.backup import BackupOptions, write_backup
from qadb.operations.common import (
    WAIT_LOCK_SECONDS,
    count_bytes,
    say_nothing,
    tell_about_waiting,
)
from qadb.operations.rebuild import check_requirements, find_row_taker, rebuild
from qadb.operations.verify import remove_rebuilt
from qadb.progress import no_progress
from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.history import record_entry
from qadb.revisions.state import read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from qadb.backends.base_backups import Claim
    from qadb.backups.manifest import Manifest
    from qadb.database import Database
    from qadb.progress import Progress
    from qadb.revisions.catalogue import Revision

Standing = Literal["absent", "empty", "managed", "damaged"]
"""What a restore finds in its place."""


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore would do.

    Attributes:
        path: the backup.
        size_bytes: of its file.
        sha256: of its file, which is whole.
        manifest: what it says of itself.
        standing: what is in its place now.
        tables: rows by table that are there now and would be replaced, the tool's own left out.
        comes: rows by table that would be there instead, likewise.
        pending: revisions that are to be applied afterwards, oldest first.
        engine: of the database.
        moved_from: the backup's engine, where that is another one and its rows are moved.
    """

    path: Path
    size_bytes: int
    sha256: str
    manifest: Manifest
    standing: Standing
    tables: dict[str, int]
    comes: dict[str, int]
    pending: tuple[Revision, ...]
    engine: str
    moved_from: str | None

    @property
    def replaces(self) -> bool:
        """There is something that somebody may miss."""
        return self.standing in ("managed", "damaged")


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """How a restore is done.

    Attributes:
        jobs: how many processes may work; as many as there are cores if None.
        safety_folder: where the former database is saved to; None saves nothing, where the engine
            does not keep it anyway.
        disconnect: end the sessions of those who are in the way.
        drop_previous: remove the former database that a server keeps under another name.
    """

    jobs: int | None = None
    safety_folder: Path | None = None
    disconnect: bool = False
    drop_previous: bool = False


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What was restored.

    Attributes:
        plan: as it was carried out.
        safety_backup: the backup of the former database; None where none was made.
        previous: what the former database is called now; None where it is not kept.
        elapsed_seconds: all of it.
    """

    plan: RestorePlan
    safety_backup: Path | None
    previous: str | None
    elapsed_seconds: float


def plan_restore(
    database: Database, path: Path, *, progress: Progress = no_progress
) -> RestorePlan:
    """Check the backup's file, and say what restoring it would do; writes nothing.

    Raises:
        BackupNotFound: there is no such file.
        BackupDamaged: a byte of it is not what was written.
        RestoreRefused: it is of an engine whose rows this one does not take, or of a revision that
            this qadb does not know.
        UnmanagedDatabase: the database is another application's.
    """
    with ArchiveReader(path) as archive:
        manifest, size_bytes = archive.manifest, archive.size_bytes
        moved_from = None if find_row_taker(manifest, database) is None else manifest.engine
        catalogue = read_catalogue(database.schema.migrations)
        if manifest.revision is not None and manifest.revision not in catalogue:
            raise RestoreRefused(
                f"The backup is at revision {manifest.revision}, this qadb knows up to "
                f"{catalogue.head}.",
                hint="Upgrade qadb: pip install --upgrade qadb",
            )
        sha256 = archive.check_seal(count_bytes(progress, "Reading", size_bytes))
    standing, tables = _look(database)
    pending = catalogue.after(manifest.revision)
    return RestorePlan(
        path,
        size_bytes,
        sha256,
        manifest,
        standing,
        tables,
        _without_own(database, manifest.tables),
        pending,
        engine=database.url.engine,
        moved_from=moved_from,
    )


def restore(
    database: Database,
    plan: RestorePlan,
    options: RestoreOptions | None = None,
    *,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> RestoreResult:
    """Carry out a plan; killed at any point, the former database is in place or the new one is.

    Raises:
        BackupDamaged: what was rebuilt is not sound, or not what the backup says; nothing changed.
        RestoreRefused: the place lacks what the backup needs; all of it is named.
        DatabaseInUse: somebody is in the way.
        LockNotAvailable: another operation did not end in time.
        StorageFull: there is no room beside the database.
    """
    options = options or RestoreOptions()
    started, began_at = time.monotonic(), datetime.now(UTC)
    restorer, jobs = database.backend.restorer, options.jobs or choose_jobs()
    with ExitStack() as stack:
        stack.enter_context(database.translated())
        check_requirements(database, plan.manifest)
        database.close()  # our own connections would be in the way
        claim = stack.enter_context(
            restorer.claim(
                database.url,
                database.schema,
                database.options,
                wait_seconds=wait_lock_seconds,
                on_wait=tell_about_waiting(notify),
            )
        )
        remove_rebuilt(database, notify)
        _require_room_to_swap(claim, options)
        archive = stack.enter_context(ArchiveReader(plan.path))
        _require_same(archive, plan)
        content = stack.enter_context(archive.content())
        rebuilt = stack.enter_context(
            rebuild(content, database, plan.manifest, jobs=jobs, progress=progress)
        )
        safety_backup, is_damaged = _save(database, options, progress, notify)
        database.close()
        previous = claim.put_in_place(
            rebuilt,
            is_damaged=is_damaged,
            disconnect=options.disconnect,
            drop_previous=options.drop_previous,
        )
    _record(database, plan, began_at, time.monotonic() - started, notify)
    return RestoreResult(plan, safety_backup, previous, time.monotonic() - started)


def _look(database: Database) -> tuple[Standing, dict[str, int]]:
    """Find out what stands in the place; raises for what is another application's."""
    try:
        state = read_state(database).state
    except NotADatabase:
        return "damaged", {}
    if state in ("absent", "empty"):
        return ("absent" if state == "absent" else "empty"), {}
    if state == "unmanaged":
        raise UnmanagedDatabase(
            f"{database.url.shown} holds tables that qadb did not make.",
            hint="Restore into another database: qadb restore PATH --to URL",
        )
    try:
        with database.connect(read_only=True) as connection:
            rows = database.backend.sizes.count_rows(connection)
    except NotADatabase:
        return "damaged", {}
    return "managed", _without_own(database, rows)


def _without_own(database: Database, rows: Mapping[str, int]) -> dict[str, int]:
    own = database.schema.own_tables
    return {name: count for name, count in rows.items() if name not in own}


def _require_room_to_swap(claim: Claim, options: RestoreOptions) -> None:
    """Say early that somebody is in the way, before anything is rebuilt for nothing."""
    users = claim.find_users()
    if users and not options.disconnect:
        raise DatabaseInUse(
            f"The database is in use by {'; '.join(users)}.",
            hint="Stop what uses it, or end its sessions with --disconnect.",
        )


def _require_same(archive: ArchiveReader, plan: RestorePlan) -> None:
    """The file that was planned with was read and found whole; another one may have its name."""
    if archive.manifest != plan.manifest or archive.size_bytes != plan.size_bytes:
        raise BackupDamaged(
            f"{plan.path} is no longer the file that was looked at.", hint="Restore again."
        )


def _save(
    database: Database,
    options: RestoreOptions,
    progress: Progress,
    notify: Callable[[str], None],
) -> tuple[Path | None, bool]:
    """Back up what will be replaced; returns the backup and whether the former is damaged."""
    standing, _ = _look(database)
    if standing == "damaged":
        return None, True
    keeps = database.backend.restorer.keeps_previous
    if standing != "managed" or options.safety_folder is None or keeps:
        return None, False
    try:
        result = write_backup(
            database,
            options.safety_folder,
            BackupOptions(jobs=options.jobs, purpose="restore"),
            progress=progress,
            notify=notify,
        )
    except (NotADatabase, BackupDamaged) as error:
        notify(f"The former database can't be saved by a backup. {error.message}")
        return None, True
    return result.path, False


def _record(
    database: Database,
    plan: RestorePlan,
    began_at: datetime,
    elapsed_seconds: float,
    notify: Callable[[str], None],
) -> None:
    """Write the restored database's history."""
    try:
        with database.connect() as connection:
            record_entry(
                connection,
                database,
                "restore",
                revision=plan.manifest.revision,
                applied_at=began_at,
                elapsed_seconds=elapsed_seconds,
                backup=str(plan.path),
            )
    except QadbError as error:
        notify(f"The backup is restored; the history was not written. {error.message}")
