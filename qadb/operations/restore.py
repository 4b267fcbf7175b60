"""Restore a backup: rebuild and check it beside its place, then let it take the place in one step.

Until that step nothing of the former database is touched, and what it was is kept.
"""

from __future__ import annotations

import time
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from qadb.backends.base_backups import nothing_to_save
from qadb.backups.archive import ArchiveReader
from qadb.backups.compression import choose_jobs
from qadb.beside import Beside
from qadb.errors import BackupDamaged, DatabaseInUse, QadbError
from qadb.operations.backup import record_backup
from qadb.operations.common import WAIT_LOCK_SECONDS, say_nothing, tell_about_waiting
from qadb.operations.rebuild import check, check_requirements, rebuild
from qadb.operations.restore_plan import RestorePlan, Standing, look_at_place, plan_restore
from qadb.operations.restore_safety import SafetyBackup
from qadb.operations.verify import remove_rebuilt
from qadb.progress import no_progress
from qadb.revisions.history import record_entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qadb.backends.base_backups import ByteSource, Claim
    from qadb.database import Database
    from qadb.progress import Progress, ProgressEvent
    from qadb.settings import DatabaseUrl

__all__ = ["RestoreOptions", "RestorePlan", "RestoreResult", "plan_restore", "restore"]


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
    restorer = database.backend.restorer
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
        exchange = _Exchange(database, plan, options, stack, progress, notify)
        safety_backup, previous = exchange.run(claim, content)
    _record(database, plan, began_at, time.monotonic() - started, notify)
    return RestoreResult(plan, safety_backup, previous, time.monotonic() - started)


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


@dataclass(frozen=True, slots=True)
class _Exchange:
    """The steps that take long, those that don't need each other beside each other.

    The former database is saved while the new one is rebuilt and checked; the check goes on while
    an engine that copies it into place does so, up to the step that can't be undone.

    Attributes:
        stack: removes at its end what was rebuilt and not put in place.
    """

    database: Database
    plan: RestorePlan
    options: RestoreOptions
    stack: ExitStack
    progress: Progress
    notify: Callable[[str], None]

    def run(self, claim: Claim, content: ByteSource) -> tuple[Path | None, str | None]:
        """Return the safety backup, and what the former database is called now."""
        stop = _Stop()
        with Beside(stop.set, "qadb-restore") as beside:
            claim.watch_commits()
            standing, _ = look_at_place(self.database)
            is_damaged = standing == "damaged"
            safety = self._prepare_safety() if standing == "managed" else None
            if safety is not None:
                rebuilding = beside.submit(partial(self._rebuild, content, stop.raise_if_set))
                checking = beside.submit(lambda: self._check(rebuilding.result()))
                safety.save()
                is_damaged = safety.path is None
                rebuilt = rebuilding.result()
            else:
                rebuilt = self._rebuild(content, self.progress)
                checking = beside.submit(partial(self._check, rebuilt))
            self.database.close()
            previous = claim.put_in_place(
                rebuilt,
                is_damaged=is_damaged,
                disconnect=self.options.disconnect,
                drop_previous=self.options.drop_previous,
                wait_until_sound=checking.result,
                save_late=self._choose_save_late(standing, safety),
            )
        return None if safety is None else safety.path, previous

    def _prepare_safety(self) -> SafetyBackup | None:
        """What will save the former database, where somebody wants that and no engine does it."""
        folder = self.options.safety_folder
        if folder is None or self.database.backend.restorer.keeps_previous:
            return None
        return SafetyBackup(self.database, folder, self.options.jobs, self.progress, self.notify)

    def _choose_save_late(
        self, standing: Standing, safety: SafetyBackup | None
    ) -> Callable[[], object]:
        """What happens to what somebody commits after the place was looked at."""
        if safety is not None:
            return safety.save_again
        return nothing_to_save if standing == "managed" else self._refuse_late

    def _refuse_late(self) -> None:
        raise DatabaseInUse(
            "Somebody began to write to the database, which held nothing when the restore began.",
            hint="Look what it is, then restore again; nothing was changed.",
        )

    def _rebuild(self, content: ByteSource, progress: Progress) -> DatabaseUrl:
        jobs = self.options.jobs or choose_jobs()
        return self.stack.enter_context(
            rebuild(content, self.database, self.plan.manifest, jobs=jobs, progress=progress)
        )

    def _check(self, rebuilt: DatabaseUrl) -> None:
        check(self.database, rebuilt, self.plan.manifest)


class _Stop:
    """Ends, from another thread, work that reports its progress."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        self._event.set()

    def raise_if_set(self, event: ProgressEvent) -> None:
        """Show nothing, as another piece of work is being shown; the working thread calls it."""
        del event
        if self._event.is_set():
            raise CancelledError


def _record(
    database: Database,
    plan: RestorePlan,
    began_at: datetime,
    elapsed_seconds: float,
    notify: Callable[[str], None],
) -> None:
    """Write the restored database's history, which is older than the backup that it came in."""
    try:
        with database.connect() as connection:
            record_backup(connection, database, plan.path, plan.manifest)
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
