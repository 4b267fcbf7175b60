"""Bring the rows of somebody's own SQLite database into an empty one of ours, by a mapping.

The source is read and never written. What can't be stored is reported, and all the rest goes in, in
one transaction.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import column, func, select, table, text

from qadb.backends.values import Actor
from qadb.database import Database
from qadb.errors import ConfigurationError, ConflictError, DatabaseFailure, DataPresent
from qadb.operations.common import WAIT_LOCK_SECONDS, say_nothing, tell_about_waiting
from qadb.operations.importing.mapping import read_mapping, refuse_unknown
from qadb.operations.importing.rejects import writing_rejects
from qadb.operations.init import init_database
from qadb.progress import ProgressEvent, no_progress
from qadb.repositories.generic.occupied import tables_in_use
from qadb.revisions.history import record_entry
from qadb.revisions.state import read_state, require_current
from qadb.sessions.conflicts import conflict
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import ColumnClause, Connection, Select

    from qadb.operations.importing.mapping import TableMap
    from qadb.operations.importing.rejects import Rejects
    from qadb.progress import Progress
    from qadb.sessions.unit import UnitOfWork

BATCH_ROWS = 500
MOST_NAMED = 4

_ACTOR = Actor(user_agent="qadb restore --map")


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What would be brought in.

    Attributes:
        path: the source.
        mapping: the file that says what becomes what.
        tables: what it says, parents first.
        rows: how many each table of the source has, in the same order.
    """

    path: Path
    mapping: Path
    tables: tuple[TableMap, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImportedTable:
    """What became of the rows of one table of the source."""

    source: str
    to: str
    read: int
    written: int
    rejected: int


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What was brought in.

    Attributes:
        rejects: the report of rows that were not; None where all were.
    """

    plan: ImportPlan
    tables: tuple[ImportedTable, ...]
    rejects: Path | None
    elapsed_seconds: float

    @property
    def rejected(self) -> int:
        """Rows that were not brought in."""
        return sum(each.rejected for each in self.tables)


def plan_import(database: Database, path: Path, mapping: Path) -> ImportPlan:
    """Check the mapping against both sides, and that there is room; writes nothing.

    Raises:
        ConfigurationError: the mapping names what there is not; the nearest name is told.
        DataPresent: the database holds rows of somebody's own.
        NotADatabase, DatabaseUnreachable: the source is no SQLite database, or not there.
        RevisionMismatch, UnmanagedDatabase: the database is not at head, or not ours.
    """
    own = database.url.path
    if own is not None and path.resolve() == own.resolve():
        raise ConfigurationError(
            f"{path} can't be brought into itself.", hint="Name another database with --to."
        )
    tables = read_mapping(mapping, database.schema.metadata)
    with _open_source(database, path) as source, source.connect(read_only=True) as reading:
        _check_source(source, reading, mapping, tables)
        counts = [
            reading.execute(select(func.count()).select_from(table(each.source))).scalar_one()
            for each in tables
        ]
    if read_state(database).state not in ("absent", "empty"):
        with database.connect(read_only=True) as connection:
            database.backend.context.set_context(connection, tenant=None, actor=None)
            _require_empty(database, connection)
    return ImportPlan(path, mapping, tables, tuple(counts))


def import_rows(
    database: Database,
    plan: ImportPlan,
    rejects_path: Path,
    *,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> ImportResult:
    """Set the database up where it is absent, and bring the rows in.

    Killed at any point, the database holds none of them or all.

    Raises:
        DataPresent: somebody has written rows of their own meanwhile.
        LockNotAvailable: another operation did not end in time.
        ConfigurationError: the report can't be written.
    """
    started, began_at = time.monotonic(), datetime.now(UTC)
    waiting = tell_about_waiting(notify)
    with writing_rejects(rejects_path) as rejects:
        init_database(database, wait_lock_seconds=wait_lock_seconds, notify=notify)
        with (
            database.exclusive(wait_seconds=wait_lock_seconds, on_wait=waiting),
            _open_source(database, plan.path) as source,
            source.connect(read_only=True) as reading,
            database.session(all_tenants=True, actor=_ACTOR) as unit,
            unit.unguarded(),
        ):
            state = _require_empty(database, unit.own_connection())
            run = _Import(database, unit, reading, rejects, sum(plan.rows), progress)
            tables = tuple(run.take(each) for each in plan.tables)
            run.continue_ids(plan.tables)
            record_entry(
                unit.own_connection(),
                database,
                "restore",
                revision=state,
                applied_at=began_at,
                elapsed_seconds=time.monotonic() - started,
                backup=str(plan.path),
            )
        published = rejects.publish()
    return ImportResult(plan, tables, published, time.monotonic() - started)


def _open_source(database: Database, path: Path) -> Database:
    return Database(DatabaseUrl("sqlite", path=path), database.schema)


def _check_source(
    source: Database, reading: Connection, mapping: Path, tables: Sequence[TableMap]
) -> None:
    known = source.backend.connector.list_tables(reading)
    for each in tables:
        key = f"tables.{each.source}"
        if each.source not in known:
            refuse_unknown(mapping, key, each.source, sorted(known), f"table in {source.url.path}")
        every = select(text("*")).select_from(table(each.source)).limit(0)
        columns = list(reading.execute(every).keys())
        for theirs in each.columns:
            if theirs.source not in columns:
                name = theirs.source
                refuse_unknown(mapping, f"{key}.columns.{name}", name, columns, "column")


def _require_empty(database: Database, connection: Connection) -> str | None:
    """Return the revision, which is head; raises DataPresent for rows of somebody's own."""
    state = require_current(database, connection)
    used = [*tables_in_use(connection, database.backend.connector.list_tables(connection))]
    if used:
        more = f" and {len(used) - MOST_NAMED} more" if len(used) > MOST_NAMED else ""
        raise DataPresent(
            f"{database.url.shown} holds data already, in {', '.join(used[:MOST_NAMED])}{more}.",
            hint="Name a new database with --to: it is set up first.",
        )
    return state.revision


class _Import:
    """The rows' way into one database, in one transaction."""

    def __init__(
        self,
        database: Database,
        unit: UnitOfWork,
        reading: Connection,
        rejects: Rejects,
        total: int,
        progress: Progress,
    ) -> None:
        self._database = database
        self._connection = unit.own_connection()
        self._reading = reading
        self._rejects = rejects
        self._total = total
        self._progress = progress
        self._done = 0

    def take(self, each: TableMap) -> ImportedTable:
        """Bring one table's rows in, a batch at a time."""
        read, before = 0, self._rejects.count
        rows = self._read(each)
        while batch := list(islice(rows, BATCH_ROWS)):
            read += len(batch)
            self._take_batch(each, batch)
            self._done += len(batch)
            self._progress(ProgressEvent("Bringing in", self._done, self._total, "rows"))
        rejected = self._rejects.count - before
        return ImportedTable(each.source, each.to.name, read, read - rejected, rejected)

    def continue_ids(self, tables: Sequence[TableMap]) -> None:
        """Let the ids that the database chooses follow those that came along."""
        highest = {}
        for to in {each.to for each in tables}:
            if len(to.primary_key) == 1 and (key := next(iter(to.primary_key))).identity:
                found = self._connection.execute(select(func.max(key))).scalar_one()
                highest[to] = max(found or 0, 0)
        self._database.backend.seeding.continue_ids(self._connection, highest)

    def _read(self, each: TableMap) -> Iterator[Sequence[object]]:
        """Rows of the source, in the order of our keys where they come from it."""
        keys = {key.name for key in each.to.primary_key}
        columns: list[ColumnClause[object]] = [column(mapped.source) for mapped in each.columns]
        order = [own for own, to in zip(columns, each.columns, strict=True) if to.to in keys]
        query: Select[*tuple[Any, ...]] = select(*columns)
        query = query.select_from(table(each.source)).order_by(*order)
        return iter(self._reading.execution_options(yield_per=BATCH_ROWS).execute(query))

    def _take_batch(self, each: TableMap, batch: Sequence[Sequence[object]]) -> None:
        converted = []
        for values in batch:
            try:
                converted.append((values, each.row(values)))
            except ValueError as error:
                self._reject(each, values, str(error))
        if converted and self._insert(each, [row for _, row in converted]) is not None:
            for values, row in converted:
                reason = self._insert(each, [row])
                if reason is not None:
                    self._reject(each, values, reason)

    def _insert(self, each: TableMap, rows: Sequence[Sequence[object]]) -> str | None:
        """Insert all of the rows or none; returns why not."""
        try:
            with self._database.translated(), self._connection.begin_nested():
                bulk = self._database.backend.bulk
                bulk.insert(self._connection, each.to, each.targets, rows)
        except ConflictError as error:
            if error.__cause__ is None or len(rows) > 1:
                return error.message
            row = dict(zip(each.targets, rows[0], strict=True))
            metadata = self._database.schema.metadata
            backend = self._database.backend
            return conflict(error.__cause__, backend, metadata, table=each.to, row=row).message
        except DatabaseFailure as error:
            return error.message
        return None

    def _reject(self, each: TableMap, values: Sequence[object], reason: str) -> None:
        names = [mapped.source for mapped in each.columns]
        self._rejects.add(each.source, dict(zip(names, values, strict=True)), reason)
