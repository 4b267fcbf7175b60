"""What a restore would do: the backup's file, checked, against what stands in the place now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from qadb.backups.archive import ArchiveReader
from qadb.errors import NotADatabase, RestoreRefused, UnmanagedDatabase
from qadb.operations.common import count_bytes
from qadb.operations.rebuild import find_row_taker
from qadb.progress import no_progress
from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.state import read_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
    standing, tables = look_at_place(database)
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


def look_at_place(database: Database) -> tuple[Standing, dict[str, int]]:
    """Find out what stands in the place, with its rows by table, the tool's own left out.

    Raises:
        UnmanagedDatabase: it is another application's.
    """
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
