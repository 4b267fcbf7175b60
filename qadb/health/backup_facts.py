"""What is known of a database's backups: the files in a folder, and what the history tells."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.backups.folder import list_backups
from qadb.errors import BackupNotFound
from qadb.revisions.history import read_history

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.backups.folder import Backup
    from qadb.database import Database
    from qadb.revisions.history import HistoryEntry

READABLE_BY_OTHERS = stat.S_IRWXO
WRITABLE_BY_OTHERS = stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """What is known.

    Attributes:
        folder: where backups are looked for; None where nobody says.
        backups: those of this database that somebody could restore, newest first; copies of what
            restores replaced are none.
        history: what qadb did to the database, oldest first.
    """

    folder: Path | None
    backups: tuple[Backup, ...]
    history: tuple[HistoryEntry, ...]

    def last(self, operation: str) -> datetime | None:
        """When something was last done, as far as the history tells."""
        moments = [each.applied_at for each in self.history if each.operation == operation]
        return max(moments, default=None)

    @property
    def began_at(self) -> datetime | None:
        """When qadb first worked on the database."""
        return self.history[0].applied_at if self.history else None


@dataclass(frozen=True, slots=True)
class Room:
    """The room on one disk.

    Attributes:
        place: a folder on it.
        needed_bytes: what is going to be written there.
    """

    place: Path
    free_bytes: int
    needed_bytes: int

    @property
    def percent(self) -> float:
        """How much of what is needed is there."""
        return round(100 * self.free_bytes / max(self.needed_bytes, 1), 1)


def read_backup_facts(
    database: Database, connection: Connection, folder: Path | None
) -> BackupFacts:
    """Look at the folder and at the history."""
    history = read_history(connection, database)
    found: tuple[Backup, ...] = ()
    if folder is not None:
        try:
            found = list_backups(folder)
        except BackupNotFound:
            found = ()
    own = tuple(each for each in found if each.is_of(database.url) and each.purpose != "restore")
    return BackupFacts(folder, own, history)


def open_files(facts: BackupFacts) -> tuple[str, ...]:
    """Backups that every user of the system may read, and a folder that they may write."""
    found = [
        f"{each.path}: mode {stat.S_IMODE(mode):04o}, any user may read or change it"
        for each in facts.backups
        if (mode := each.path.stat().st_mode) & READABLE_BY_OTHERS
    ]
    if facts.backups and facts.folder is not None:
        mode = facts.folder.stat().st_mode
        if mode & WRITABLE_BY_OTHERS and not mode & stat.S_ISVTX:
            found.append(
                f"{facts.folder}: mode {stat.S_IMODE(mode):04o}, any user may remove backups"
            )
    return tuple(found)


def disk_room(facts: BackupFacts, file: Path | None, size_bytes: int) -> tuple[Room, ...]:
    """Room for one more backup, and for one VACUUM where the database is a file.

    Args:
        facts: the newest backup tells how large the next one gets.
        file: the database's own.
        size_bytes: of the database; it stands for a backup where there is none yet.
    """
    wanted: dict[Path, int] = {}
    if facts.folder is not None:
        newest = facts.backups[0].size_bytes if facts.backups else size_bytes
        wanted[_nearest(facts.folder)] = newest
    if file is not None:
        # A copy in the folder for temporary files, then all pages anew in the log.
        folder = _nearest(file.resolve().parent)
        wanted[folder] = wanted.get(folder, 0) + 2 * size_bytes
    by_disk: dict[int, Room] = {}
    for place, needed in wanted.items():
        disk = place.stat().st_dev
        before = by_disk[disk].needed_bytes if disk in by_disk else 0
        by_disk[disk] = Room(place, shutil.disk_usage(place).free, before + needed)
    return tuple(by_disk.values())


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that is there: a backup makes the rest."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder
