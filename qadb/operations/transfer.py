"""Move the rows of a rebuilt backup into another engine's new database, table by table.

All rows are the backup's: what revisions write makes room for it, and so do the history's entries
of this making. The history goes on telling what happened to the data, with the checksums of that
time; the restore adds its own entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, column, func, select, table, text

from qadb.backends.base_transfers import UnfitRow
from qadb.errors import BackupDamaged, RestoreRefused
from qadb.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnClause, Connection, Select, Table

    from qadb.backends.base_transfers import RowTaker
    from qadb.backups.manifest import Manifest
    from qadb.database import Database
    from qadb.progress import Progress

TELL_EVERY_ROWS = 1000


class Transfer:
    """The rows' way from one database into the other, in the transactions of two connections.

    Args:
        source: what the backup was rebuilt as.
        reading: reads it.
        made: the new database, at the backup's revision.
        writing: writes to it; whoever opened it commits.
        taker: turns values of the one engine into those of the other.
        manifest: what the backup says of itself.
        progress: told of rows.
    """

    def __init__(
        self,
        source: Database,
        reading: Connection,
        made: Database,
        writing: Connection,
        taker: RowTaker,
        manifest: Manifest,
        progress: Progress,
    ) -> None:
        self._source = source
        self._reading = reading
        self._made = made
        self._writing = writing
        self._taker = taker
        self._manifest = manifest
        self._progress = progress
        self._done = 0

    def run(self) -> None:
        """Move every table, parents first; then let ids go on, and count."""
        metadata = MetaData()
        metadata.reflect(self._writing)
        self._require_places(metadata.tables)
        wanted = [each for each in metadata.sorted_tables if each.name in self._manifest.tables]
        with self._taker.taking(self._writing, wanted):
            for each in wanted:
                self._move(each)
        self._continue_ids(wanted)
        self._compare_counts(wanted)

    def _require_places(self, tables: Mapping[str, Table]) -> None:
        """Raise for a table that revisions did not make: it would be lost in silence."""
        strays = {*self._manifest.tables} - {*tables} - self._made.schema.unmapped
        if strays:
            raise RestoreRefused(
                f"The backup holds what qadb's revisions did not make, and what has no place in "
                f"{self._made.url.engine}: {', '.join(sorted(strays))}.",
                hint="Move it by hand, drop it from the former database, and back that up again.",
            )

    def _move(self, to: Table) -> None:
        columns = self._match_columns(to)
        query = _select(to, columns)
        rows = self._reading.execution_options(yield_per=TELL_EVERY_ROWS).execute(query)
        try:
            self._taker.take(self._writing, to, columns, self._counted(rows))
        except UnfitRow as error:
            raise self._explain(to, error) from error

    def _match_columns(self, to: Table) -> list[str]:
        """The columns that are moved: all but those that the database computes.

        An older history has fewer.
        """
        every = select(text("*")).select_from(table(to.name)).limit(0)
        present = {*self._reading.execute(every).keys()}
        wanted = [each.name for each in to.columns if each.computed is None]
        strays = present - {*wanted} - self._made.schema.unmapped
        missing = {*wanted} - present
        if to.name in self._made.schema.own_tables:
            missing = set()
        if strays or missing:
            raise RestoreRefused(
                f"The backup's table {to.name} is not as revision {self._manifest.revision} has "
                f"it: {', '.join(sorted(strays | missing))}.",
                hint="Look for differences with: qadb status",
            )
        return [name for name in wanted if name in present]

    def _counted(self, rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
        total = sum(self._manifest.tables.values())
        for row in rows:
            yield row
            self._done += 1
            if self._done % TELL_EVERY_ROWS == 0:
                self._progress(ProgressEvent("Moving", self._done, total, "rows"))

    def _explain(self, to: Table, error: UnfitRow) -> RestoreRefused:
        """Name table, key and column of the row; it is found again by its number."""
        where = [to.name, *self._key_of(to, error.number)]
        if error.column is not None:
            where.append(f"column {error.column}")
        return RestoreRefused(
            f"A row can't be moved to {self._made.url.engine}: {', '.join(where)}: {error.reason}.",
            hint="Change the row in the former database, back that up and restore that backup.",
        )

    def _key_of(self, to: Table, number: int | None) -> list[str]:
        if number is None:
            return []
        keys = [key.name for key in to.primary_key]
        found = self._reading.execute(_select(to, keys).offset(number - 1).limit(1)).one()
        return [f"{key} {value}" for key, value in zip(keys, found, strict=True)]

    def _continue_ids(self, tables: Sequence[Table]) -> None:
        """Let the next ids be above the highest there is, and above those that are never reused."""
        numbered = [each for each in tables if any(c.identity is not None for c in each.columns)]
        drawn = self._source.backend.seeding.reserve_ids(self._reading, numbered)
        highest = {}
        for each in numbered:
            (key,) = each.primary_key
            found = self._writing.execute(select(func.max(key))).scalar_one()
            highest[each] = max(found or 0, drawn[each.name])
        self._made.backend.seeding.continue_ids(self._writing, highest)

    def _compare_counts(self, tables: Sequence[Table]) -> None:
        rows = self._made.backend.sizes.count_rows(self._writing)
        for name in sorted(each.name for each in tables):
            if rows.get(name) != self._manifest.tables[name]:
                raise BackupDamaged(
                    f"The backup says {self._manifest.tables[name]} rows of {name}, and "
                    f"{rows.get(name, 'no')} were moved."
                )


def _select(to: Table, columns: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """Read columns as the driver has them, in an order by which a row is found again."""
    names: list[ColumnClause[object]] = [column(name) for name in columns]
    order: list[ColumnClause[object]] = [column(key.name) for key in to.primary_key]
    return select(*names).select_from(table(to.name)).order_by(*order)
