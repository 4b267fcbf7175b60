"""Adoption: a database that has the tables but no history is given one, if it is as it should be.

Owns the comparison with each revision, the stamp, and the reference rows that a database lacks
whose tables were not made by revisions.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext
from sqlalchemy import column, func, insert, select, table, text

from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.drift import Drift, compare
from qadb.revisions.environment import script_directory
from qadb.revisions.history import record_entry
from qadb.revisions.scratch import migrated_place, read_catalog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from qadb.database import Database

_LOCK_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """The revision that a database resembles most.

    Attributes:
        revision: the newest that differs least.
        drift: how it differs; none where they are the same.
        reference_rows: what the revisions up to it write, by table, in an order for keys; empty
            where the database differs.
    """

    revision: str
    drift: Drift
    reference_rows: Mapping[str, Sequence[Mapping[str, object]]]


def find_likeness(database: Database) -> Likeness | None:
    """Compare the live catalog with what each revision makes; None where there is no revision.

    Raises:
        NotComparable: there is no place to make them in; the hint says what it takes.
    """
    with database.connect(read_only=True) as connection:
        found = read_catalog(database, connection)
    best: Likeness | None = None

    def look(revision: str, place: Connection) -> None:
        nonlocal best
        drift = compare(read_catalog(database, place), found)
        if best is None or len(drift.differences) <= len(best.drift.differences):
            is_same = not drift.differences
            best = Likeness(revision, drift, _reference_rows(database, place) if is_same else {})

    head = read_catalogue(database.schema.migrations).head
    if head is not None:
        with migrated_place(database, head, after_step=look):
            pass
    return best


def stamp(database: Database, likeness: Likeness) -> int:
    """Write the version, the history and the engine's mark, and the reference rows if it has none.

    The caller holds the operations' lock. Returns how many rows were written.
    """
    started_at, started = datetime.now(UTC), time.perf_counter()
    with (
        database.migrating(lock_timeout_seconds=_LOCK_TIMEOUT_SECONDS) as connection,
        nullcontext() if connection.in_transaction() else connection.begin(),
    ):
        added = _add_reference_rows(connection, database, likeness.reference_rows)
        options = {"version_table": database.schema.version_table}
        context = MigrationContext.configure(connection, opts=options)
        context._ensure_version_table()  # noqa: SLF001 - as alembic.command does by way of it
        context.stamp(script_directory(database.schema), likeness.revision)
        record_entry(
            connection,
            database,
            "adopt",
            revision=likeness.revision,
            direction="up",
            applied_at=started_at,
            elapsed_seconds=time.perf_counter() - started,
        )
        database.backend.connector.mark_as_own(connection, database.schema)
    return added


def _reference_rows(
    database: Database, place: Connection
) -> dict[str, Sequence[Mapping[str, object]]]:
    present = database.backend.connector.list_tables(place)
    found: dict[str, Sequence[Mapping[str, object]]] = {}
    for known in database.schema.metadata.sorted_tables:
        if known.name in present:
            rows = place.execute(select(text("*")).select_from(table(known.name))).mappings().all()
            if rows:
                found[known.name] = [dict(row) for row in rows]
    return found


def _add_reference_rows(
    connection: Connection,
    database: Database,
    reference_rows: Mapping[str, Sequence[Mapping[str, object]]],
) -> int:
    """Write them where none of their tables has a row: others' rows have keys of their own."""
    for name in reference_rows:
        if connection.scalar(select(func.count()).select_from(table(name))):
            return 0
    for name, rows in reference_rows.items():
        target = table(name, *(column(each) for each in rows[0]))
        connection.execute(insert(target), [dict(row) for row in rows])
    tables = database.schema.metadata.tables
    numbered = {
        tables[name]: max(int(str(row["id"])) for row in rows)
        for name, rows in reference_rows.items()
        if tables[name].autoincrement_column is not None
    }
    database.backend.seeding.continue_ids(connection, numbered)
    return sum(map(len, reference_rows.values()))
