"""The archive: what goes is written out first, read back and compared, and only then deleted.

One file a table and month, with a number where the month has files already; a manifest for each
cleanup, written anew with every month. Nothing that is there is ever replaced. A row that changed
since it was written out, or got company, stays until the next cleanup.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from qadb.backups.failures import explain_refusals
from qadb.backups.partial import begin_partial, remove_leftovers
from qadb.cleaning.parquet import TableFile, load_pyarrow, stored_columns
from qadb.disk import sync
from qadb.errors import QadbError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import ColumnElement, Connection, Row, Table

    from qadb.cleaning.subjects import Key, Subject

KEYS_AT_ONCE = 500
GROUP_ROWS = 10_000
VERSION = "updated_at"

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One file, as the manifest has it."""

    file: str
    table: str
    period: str
    rows: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Archived:
    """What is safe of one subject's rows.

    Attributes:
        versions: when each row was last changed; None where it does not tell.
        followers: for each table that follows, how many rows each key has there.
    """

    versions: Mapping[Key, object]
    followers: Mapping[str, Mapping[Key, int]] = field(default_factory=dict)


class Archive:
    """A folder that takes what one cleanup deletes.

    Args:
        folder: where; it is made where it is missing.
        database: the database's name, for the manifest, without secrets.
        revision: where the database stands.
    """

    def __init__(self, folder: Path, database: str, revision: str | None) -> None:
        load_pyarrow()
        self._folder = folder
        self._began_at = datetime.now(UTC)
        self._about = {"database": database, "revision": revision}
        self._files: list[ArchivedFile] = []
        self._manifest = folder / f"cleanup-{self._began_at:%Y%m%dT%H%M%S%fZ}.json"
        if folder.is_dir():
            remove_leftovers(folder)

    @property
    def paths(self) -> tuple[Path, ...]:
        """What was written, the manifest last."""
        files = tuple(self._folder / each.file for each in self._files)
        return (*files, self._manifest) if files else ()

    def write(
        self, connection: Connection, subject: Subject, period: str, keys: Sequence[Key]
    ) -> Archived:
        """Write rows and what follows them, and prove it.

        Args:
            connection: in one transaction that sees one moment.
            subject: whose rows.
            period: the month, such as ``2026-05``.
            keys: the rows, in order.

        Raises:
            QadbError: what was read back is not what is there; nothing has the file's name then.
        """
        if not keys:
            return Archived({})
        metadata = subject.table.metadata
        key = subject.key
        self._write_table(connection, subject.table, key, period, keys)
        counts = {}
        for follower in subject.rule.policy.followers:
            column = metadata.tables[follower.table].c[follower.column]
            counts[follower.table] = _count(connection, column, keys)
            if counts[follower.table]:
                self._write_table(connection, column.table, column, period, keys)
        self._write_manifest()
        return Archived(_versions(connection, subject, keys), counts)

    def _write_table(
        self,
        connection: Connection,
        table: Table,
        column: ColumnElement[object],
        period: str,
        keys: Sequence[Key],
    ) -> None:
        target = self._free_name(table.name, period)
        with begin_partial(target, "archive") as partial:
            with explain_refusals(target, "archive"):
                file = TableFile(table, partial.path)
                for rows in _read(connection, table, column, keys):
                    file.write(rows)
                file.close()
                sync(partial.path)
                comparison = file.reader()
                is_equal = all(
                    comparison.next_equals(rows) for rows in _read(connection, table, column, keys)
                )
                if not (is_equal and comparison.is_at_end()):
                    raise QadbError(
                        f"{target} does not hold what was written to it; nothing of it is deleted.",
                        hint="Check the disk, or name another folder: qadb cleanup --archive DIR",
                    )
                sha256, size_bytes = _digest(partial.path)
            partial.publish()
        self._files.append(
            ArchivedFile(target.name, table.name, period, file.rows, size_bytes, sha256)
        )

    def _free_name(self, table: str, period: str) -> Path:
        number, target = 1, self._folder / f"{table}-{period}.parquet"
        while target.exists():
            number += 1
            target = self._folder / f"{table}-{period}-{number}.parquet"
        return target

    def _write_manifest(self) -> None:
        document = {
            "format": "qadb-archive",
            "version": 1,
            **self._about,
            "began_at": self._began_at.isoformat(),
            "files": [asdict(each) for each in self._files],
        }
        unnamed = self._manifest.with_suffix(".partial")
        with explain_refusals(self._manifest, "archive"):
            unnamed.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            unnamed.chmod(0o600)
            sync(unnamed)
            unnamed.replace(self._manifest)
            sync(self._folder)


def _read(
    connection: Connection, table: Table, column: ColumnElement[object], keys: Sequence[Key]
) -> Iterator[Sequence[Row[*tuple[object, ...]]]]:
    """Rows in the order of their keys, thousands at a time, the same each time."""
    names = [table.c[name] for name, _ in stored_columns(table)]
    for start in range(0, len(keys), KEYS_AT_ONCE):
        query = (
            select(*names)
            .where(column.in_(keys[start : start + KEYS_AT_ONCE]))
            .order_by(*table.primary_key)
            .execution_options(yield_per=GROUP_ROWS)
        )
        yield from connection.execute(query).partitions()


def _count(
    connection: Connection, column: ColumnElement[object], keys: Sequence[Key]
) -> Counter[Key]:
    counts: Counter[Key] = Counter()
    for start in range(0, len(keys), KEYS_AT_ONCE):
        meant = column.in_(keys[start : start + KEYS_AT_ONCE])
        query = select(column, func.count()).where(meant).group_by(column)
        counts.update({row[0]: row[1] for row in connection.execute(query)})
    return counts


def _versions(
    connection: Connection, subject: Subject, keys: Sequence[Key]
) -> Mapping[Key, object]:
    found: dict[Key, object] = {}
    for start in range(0, len(keys), KEYS_AT_ONCE):
        found |= read_versions(connection, subject, keys[start : start + KEYS_AT_ONCE])
    return found


def read_versions(
    connection: Connection, subject: Subject, keys: Sequence[Key]
) -> dict[Key, object]:
    """When each of these rows was last changed; None where the table does not tell."""
    if VERSION not in subject.table.c:
        return dict.fromkeys(keys)
    query = select(subject.key, subject.table.c[VERSION]).where(subject.key.in_(keys))
    return {row[0]: row[1] for row in connection.execute(query)}


def _digest(path: Path) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            digest.update(data)
            size_bytes += len(data)
    return digest.hexdigest(), size_bytes
