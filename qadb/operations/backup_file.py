"""Write a backup's file: the content of one moment, its manifest and seal, and the proof of it.

What the file is called, when it gets that name and what goes then is `qadb.operations.backup`'s.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qadb import __version__
from qadb.backups.archive import ArchiveReader, ArchiveWriter
from qadb.backups.compression import choose_jobs
from qadb.backups.failures import explain_refusals
from qadb.backups.manifest import Manifest
from qadb.backups.rotation import KeepRules
from qadb.beside import Beside
from qadb.errors import BackupDamaged
from qadb.operations.common import count_bytes
from qadb.operations.verify import prove_by_rebuilding
from qadb.revisions.state import read_state_on, require_managed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from datetime import datetime

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


def write_file(
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
        state = require_ours(database, moment.connection)
        with (
            explain_refusals(partial.target),
            partial.path.open("xb") as file,
            Beside(moment.interrupt, "qadb-backup") as beside,
            ArchiveWriter(file) as writer,
        ):
            counting = beside.submit(lambda: database.backend.sizes.count_rows(moment.connection))
            checking = None
            if options.is_verifying:
                checking = beside.submit(lambda: _check_after(counting, moment))
            with writer.content(
                moment.content_name, options.compression, jobs=options.chosen_jobs
            ) as sink:
                on_bytes = count_bytes(progress, "Writing", moment.size_bytes)
                moment.write(sink, on_bytes, jobs=options.chosen_jobs)
            manifest = describe(
                database,
                options,
                revision=state.revision,
                taken_at=moment.taken_at,
                tables=counting.result(),
                size_bytes=moment.size_bytes,
                content=moment.content_name,
                content_bytes=sink.raw_bytes,
                elapsed_seconds=time.monotonic() - started,
                details=moment.details,
            )
            sha256 = writer.finish(manifest)
            if checking is not None:
                file.flush()
                _prove(database, partial, moment, options, beside, progress)
                checking.result()
    return manifest, sha256


def _check_after(counting: Future[dict[str, int]], moment: Moment) -> None:
    """Check when all is counted: both may read on one connection."""
    counting.result()
    moment.check()


def _size_of(database: Database) -> int:
    with database.connect(read_only=True) as connection:
        return database.backend.sizes.database_size(connection)


def require_ours(database: Database, connection: Connection) -> DatabaseState:
    """Return where the database stands; raises where it is not ours, or holds nothing."""
    state = read_state_on(connection, database)
    if state.state not in _BEYOND_US:
        require_managed(database, state)
    return state


def describe(
    database: Database,
    options: BackupOptions,
    *,
    revision: str | None,
    taken_at: datetime,
    tables: Mapping[str, int],
    size_bytes: int,
    content: str = "",
    content_bytes: int = 0,
    elapsed_seconds: float = 0.0,
    details: Mapping[str, object] | None = None,
) -> Manifest:
    """Make the manifest of what was written, or of what would be."""
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
        content=content,
        content_bytes=content_bytes,
        compression=options.compression,
        details=details or {},
    )


def _prove(
    database: Database,
    partial: Partial,
    moment: Moment,
    options: BackupOptions,
    beside: Beside,
    progress: Progress,
) -> None:
    """Read the file back: its seal, and that its content is the moment's."""
    with ArchiveReader(partial.path) as archive:
        if not moment.is_comparable:
            archive.check_seal(count_bytes(progress, "Verifying", archive.size_bytes))
            prove_by_rebuilding(
                archive,
                database,
                folder=partial.folder,
                jobs=options.chosen_jobs,
                progress=progress,
            )
            return
        sealing = beside.submit(lambda: _check_seal(partial, beside, progress))
        with archive.content() as content:
            if not moment.equals(content):
                raise BackupDamaged(
                    f"What was read back of {partial.target} is not what was written.",
                    hint="Look at the disk; the backup was not kept.",
                )
        sealing.result()


def _check_seal(partial: Partial, beside: Beside, progress: Progress) -> None:
    with ArchiveReader(partial.path) as archive:
        show = count_bytes(progress, "Verifying", archive.size_bytes)

        def on_bytes(done: int) -> None:
            beside.raise_if_over()
            show(done)

        archive.check_seal(on_bytes)
