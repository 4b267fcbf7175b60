"""Backups' files made by hand, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.backups.archive import ArchiveWriter
from qadb.backups.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.backups.compression import Compression
    from qadb.backups.manifest import Purpose

URL = "sqlite:////srv/qa.sqlite3"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def make_manifest(
    *,
    taken_at: datetime = NOON,
    database: str = URL,
    compression: Compression = "zstd",
    content_bytes: int = 0,
    purpose: Purpose = "backup",
) -> Manifest:
    return Manifest(
        taken_at=taken_at,
        elapsed_seconds=1.5,
        engine="sqlite",
        server_version="3.40.1",
        qadb_version="0.1.0",
        purpose=purpose,
        database=database,
        revision="007",
        tenants="all",
        tables={"runs": 2, "Prüfungen": 30},
        size_bytes=4096,
        content="database.sqlite3",
        content_bytes=content_bytes,
        compression=compression,
        details={"page_size": 4096},
    )


def write_archive(
    path: Path,
    content: bytes = b"rows",
    *,
    manifest: Manifest | None = None,
    compression: Compression = "zstd",
    piece: int = 1000,
) -> str:
    """Write a file as backups are; returns its SHA-256."""
    with path.open("xb") as file:
        writer = ArchiveWriter(file)
        with writer.content("database.sqlite3", compression, jobs=2) as sink:
            for start in range(0, len(content), piece):
                sink.write(content[start : start + piece])
        return writer.finish(
            manifest or make_manifest(compression=compression, content_bytes=len(content))
        )
