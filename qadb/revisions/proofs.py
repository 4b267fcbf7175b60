"""Proofs that a catalog is what the revisions make, kept from one run to the next.

To compare, the revisions have to be run in an empty place, which takes a second. Where a whole
comparison found no difference, an empty file in the user's cache says so: its name is a hash of
the database, the engine, the revisions and the catalog as it was. As long as all these are the
same, so is the answer. Where nothing can be kept, the comparison is made each time.
"""

from __future__ import annotations

import inspect
import json
import os
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.revisions.catalogue import read_catalogue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.database import Database

FOLDER = ("qadb", "proofs")
LONGEST_KEPT_SECONDS = 90 * 86_400


def proof_of(database: Database, connection: Connection, revision: str | None) -> Path | None:
    """The file that would tell of the database as it stands; None where there is no place for it.

    Reads the live catalog.

    Args:
        database: what is compared.
        connection: reads it.
        revision: where it stands.
    """
    folder = _folder()
    return None if folder is None else folder / _digest(database, connection, revision)


def is_proven(proof: Path | None) -> bool:
    """Tell whether this very catalog was compared before and found to be right."""
    try:
        return proof is not None and proof.is_file()
    except OSError:
        return False


def keep(proof: Path | None) -> None:
    """Note that it was compared and found to be right; forget what is old."""
    if proof is None:
        return
    with suppress(OSError):
        proof.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        proof.touch(mode=0o600)
        oldest = time.time() - LONGEST_KEPT_SECONDS
        for other in proof.parent.iterdir():
            if other.stat().st_mtime < oldest:
                other.unlink(missing_ok=True)


def _folder() -> Path | None:
    """The user's cache, as the XDG base directories have it."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    return base.joinpath(*FOLDER)


def _digest(database: Database, connection: Connection, revision: str | None) -> str:
    """A hash of all that the answer depends on, the reader of catalogs included."""
    from qadb import __version__  # noqa: PLC0415 - the root package stays empty of imports

    reader = database.backend.catalog.read_catalog
    catalog = reader(connection, ignore_tables=database.schema.own_tables)
    told = [
        __version__,
        sha256(Path(inspect.getfile(reader)).read_bytes()).hexdigest(),
        database.url.shown,
        database.backend.connector.server_version(connection),
        revision,
        [known.checksum for known in read_catalogue(database.schema.migrations).revisions],
        sorted(catalog.objects.items()),
    ]
    return sha256(json.dumps(told).encode()).hexdigest()
