"""Saves what a restore replaces, all of it, whoever writes meanwhile."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.errors import BackupDamaged, NotADatabase, StorageFull
from qadb.operations.backup import BackupOptions, write_backup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qadb.database import Database
    from qadb.progress import Progress


@dataclass(slots=True)
class SafetyBackup:
    """The backup of a database that is going to be replaced.

    Attributes:
        folder: where to.
        jobs: how many threads compress; as many as there are cores if None.
        path: the backup; None where the database turned out to be damaged, or before it is saved.
    """

    database: Database
    folder: Path
    jobs: int | None
    progress: Progress
    notify: Callable[[str], None]
    path: Path | None = None

    def save(self) -> None:
        """Save the database while others write on."""
        try:
            self._write()
        except (NotADatabase, BackupDamaged) as error:
            self.notify(f"The former database can't be saved by a backup. {error.message}")

    def save_again(self) -> None:
        """Save it once more, now that nobody writes any more: somebody has written since."""
        self.notify("Somebody wrote to the database while it was saved. It is saved once more.")
        former = self.path
        try:
            self._write()
        except StorageFull:
            if former is None:
                raise
            former.unlink(missing_ok=True)  # the new one has all that this one had
            former = None  # and may have its name
            self._write()
        if former is not None:
            with suppress(OSError):  # whoever may not remove it has one more
                former.unlink(missing_ok=True)

    def _write(self) -> None:
        options = BackupOptions(jobs=self.jobs, purpose="restore")
        result = write_backup(
            self.database, self.folder, options, progress=self.progress, notify=self.notify
        )
        self.path = result.path
