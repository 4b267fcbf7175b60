"""A folder of backups: what they are called, which there are, and which of them were verified."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.backups.archive import ArchiveReader
from qadb.errors import BackupNotFound, QadbError

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.backups.manifest import Manifest, Purpose
    from qadb.settings import DatabaseUrl

SUFFIX = ".qadb"
VERIFIED = ".verified"
LATEST = "latest"

_UNFIT = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is there.

    Attributes:
        path: the file.
        size_bytes: of the file.
        manifest: what it says of itself; None where it can't be read.
        verified_at: when it was last proven to be whole, UTC; None where it never was.
        problem: why the manifest can't be read.
    """

    path: Path
    size_bytes: int
    manifest: Manifest | None
    verified_at: datetime | None
    problem: str | None = None

    @property
    def purpose(self) -> Purpose | None:
        """What it was made for, where that is known."""
        return self.manifest.purpose if self.manifest else None

    def is_of(self, url: DatabaseUrl) -> bool:
        """Tell whether it is a backup of the database."""
        found = self.manifest
        return found is not None and found.database == url.shown  # which begins with the engine


def choose_target(place: Path, url: DatabaseUrl, taken_at: datetime) -> Path:
    """The file that a backup gets: ``place`` itself, or a name of its own where that is a folder.

    A place that is not there is a folder unless its name ends as backups' names do.
    """
    if place.suffix == SUFFIX and not place.is_dir():
        return place
    name = url.path.stem if url.path is not None else url.database
    stamp = taken_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    base = f"{_UNFIT.sub('_', name or url.engine)}-{stamp}"
    target, number = place / f"{base}Z{SUFFIX}", 1
    while target.exists():  # two in one second
        number += 1
        target = place / f"{base}Z-{number}{SUFFIX}"
    return target


def list_backups(folder: Path) -> tuple[Backup, ...]:
    """All backups in a folder, newest first; those that can't be read come last.

    Raises:
        BackupNotFound: there is no such folder.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix == SUFFIX and path.is_file()]
    except OSError as error:
        raise BackupNotFound(
            f"The folder {folder} can't be read: {error.strerror}.",
            hint="Make a backup with: qadb backup",
        ) from error
    never = datetime.min.replace(tzinfo=UTC)
    backups = [read_backup(path) for path in sorted(found)]
    backups.sort(key=lambda b: b.manifest.taken_at if b.manifest else never, reverse=True)
    return tuple(backups)


def read_backup(path: Path) -> Backup:
    """Read what a backup says of itself, without checking all of it."""
    size = path.stat().st_size
    try:
        with ArchiveReader(path) as archive:
            return Backup(path, size, archive.manifest, _read_mark(path, archive.seal))
    except QadbError as error:
        return Backup(path, size, None, None, error.message)


def find_latest(folder: Path, url: DatabaseUrl) -> Path:
    """The newest backup of a database in a folder, leaving out what restores replaced.

    Raises:
        BackupNotFound: there is none.
    """
    for backup in list_backups(folder):
        if backup.is_of(url) and backup.purpose != "restore":
            return backup.path
    raise BackupNotFound(
        f"There is no backup of {url.shown} in {folder}.",
        hint="See which there are with: qadb backup --list",
    )


def mark_verified(path: Path, seal: str, verified_at: datetime) -> None:
    """Note beside a backup that it was proven to be whole.

    Raises:
        OSError: the folder can't be written.
    """
    mark = path.with_name(path.name + VERIFIED)
    draft = mark.with_name(f".{mark.name}.{os.getpid()}")
    stamp = verified_at.astimezone(UTC).isoformat(timespec="seconds")
    draft.write_text(json.dumps({"seal": seal, "verified_at": stamp}) + "\n", encoding="utf-8")
    draft.replace(mark)


def remove_backup(backup: Backup) -> None:
    """Remove a backup and the note beside it.

    Raises:
        OSError: it can't be removed.
    """
    backup.path.unlink()
    backup.path.with_name(backup.path.name + VERIFIED).unlink(missing_ok=True)


def _read_mark(path: Path, seal: str) -> datetime | None:
    """When this very file was verified: a note about another file of its name does not count."""
    try:
        noted = json.loads(path.with_name(path.name + VERIFIED).read_text(encoding="utf-8"))
        return datetime.fromisoformat(noted["verified_at"]) if noted["seal"] == seal else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
