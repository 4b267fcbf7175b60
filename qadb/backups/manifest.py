"""The manifest: what a backup says of itself, and how that is written down.

It stands inside the backup's file, under the same seal as the content.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from qadb.backups.compression import COMPRESSIONS, Compression
from qadb.errors import BackupDamaged, RestoreRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

Purpose: TypeAlias = Literal["backup", "migrate", "restore"]

FORMAT = 3
"""Raised when older versions of qadb could not read a file any more."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    Attributes:
        taken_at: the moment that it shows, UTC.
        elapsed_seconds: how long it took to write, up to its seal.
        engine: which backend wrote it, and the only one that restores it as it is.
        server_version: of the engine that it was taken from.
        qadb_version: which wrote it.
        purpose: what it was made for: for itself, or to be safe before something else.
        database: the URL, secrets hidden.
        revision: where the database stood; None before the first.
        tenants: whose rows it holds; there are backups of all tenants only.
        tables: rows by table.
        size_bytes: of the database.
        content: the name of the content inside the file.
        content_bytes: of the content before it is compressed.
        details: what the engine wants to find again.
    """

    taken_at: datetime
    elapsed_seconds: float
    engine: str
    server_version: str
    qadb_version: str
    purpose: Purpose
    database: str
    revision: str | None
    tenants: str
    tables: Mapping[str, int]
    size_bytes: int
    content: str
    content_bytes: int
    compression: Compression
    details: Mapping[str, object]

    def to_bytes(self) -> bytes:
        """The manifest as JSON text, for people and programs alike."""
        taken_at = self.taken_at.astimezone(UTC).isoformat(timespec="microseconds")
        document = {"format": FORMAT, **asdict(self), "taken_at": taken_at}
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BackupDamaged: it is no manifest.
        RestoreRefused: a newer qadb wrote it in a format that this one can't read.
    """
    try:
        document = json.loads(data)
        found = int(document.pop("format"))
        if found > FORMAT:
            raise RestoreRefused(
                f"The backup is in format {found}, this qadb reads up to {FORMAT}.",
                hint="Upgrade qadb: pip install --upgrade qadb",
            )
        return _from_document(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupDamaged(f"The backup's manifest can't be read: {error}.") from error


def _from_document(document: dict[str, object]) -> Manifest:
    known = {name: document[name] for name in Manifest.__slots__}  # a later qadb may add others
    known["taken_at"] = datetime.fromisoformat(str(known["taken_at"]))
    tables = cast("dict[str, object]", known["tables"])
    known["tables"] = {str(name): int(str(rows)) for name, rows in tables.items()}
    if known["compression"] not in COMPRESSIONS:
        raise ValueError(f"{known['compression']} is no compression")
    return Manifest(**known)  # type: ignore[arg-type]  # from JSON, and checked where it matters
