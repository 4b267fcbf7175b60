"""What a rollback would lose: the tables and columns that the target revision does not have.

Which they are is found by running the migrations themselves, up to each of the two revisions, in
memory; the real database is only counted. Both engines have the same tables and columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, groupby
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import column, func, inspect, select, table

from qadb.database import Database
from qadb.revisions.catalogue import read_catalogue
from qadb.revisions.runner import run_revisions
from qadb.settings import DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from qadb.schema import Schema

Columns: TypeAlias = "Mapping[str, frozenset[str]]"


@dataclass(frozen=True, slots=True)
class Loss:
    """A table that goes (``column`` is None), or a column of one that stays.

    Attributes:
        rows: rows of the table, or values in the column that are not NULL.
    """

    table: str
    column: str | None
    rows: int

    @property
    def name(self) -> str:
        """The table, or table and column, as people write it."""
        return self.table if self.column is None else f"{self.table}.{self.column}"


def find_losses(database: Database, current: str | None, target: str | None) -> tuple[Loss, ...]:
    """Count what goes when the database goes from ``current`` back to ``target``."""
    after, before = columns_at(database.schema, target, current)
    return count_losses(database, gone(before, after))


def gone(before: Columns, after: Columns) -> Iterator[Loss]:
    """Yield tables, and columns of tables that stay, which are not there afterwards; uncounted.

    Args:
        before: columns by table.
        after: the same afterwards.
    """
    for name in sorted(before):
        if name not in after:
            yield Loss(name, None, 0)
        else:
            yield from (Loss(name, lost, 0) for lost in sorted(before[name] - after[name]))


def count_losses(database: Database, losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Count the same tables and columns anew; those that are not there any more are left out."""
    with database.connect(read_only=True) as connection:
        present = database.backend.connector.list_tables(connection)
        by_table = groupby(losses, lambda loss: loss.table)
        found = [_count(connection, name, list(own)) for name, own in by_table if name in present]
    return tuple(chain.from_iterable(found))


def _count(connection: Connection, name: str, losses: Sequence[Loss]) -> Iterator[Loss]:
    """One pass over a table, however many of its columns go."""
    counts = [func.count() if x.column is None else func.count(column(x.column)) for x in losses]
    row = connection.execute(select(*counts).select_from(table(name))).one()
    return (replace(loss, rows=int(rows)) for loss, rows in zip(losses, row, strict=True))


def columns_at(schema: Schema, *revisions: str | None) -> tuple[Columns, ...]:
    """Columns by table as the migrations make them, at each of the revisions, oldest first.

    They are run once a process: whoever shows what would be lost asks again before it is.
    """
    known = read_catalogue(schema.migrations).revisions
    return _columns_at(schema, revisions, tuple(each.checksum for each in known))


@lru_cache(maxsize=32)
def _columns_at(
    schema: Schema, revisions: tuple[str | None, ...], _checksums: tuple[str, ...]
) -> tuple[Columns, ...]:
    with Database(DatabaseUrl("sqlite", is_memory=True), schema) as scratch:
        return tuple(_columns_on_the_way(scratch, each) for each in revisions)


def _columns_on_the_way(scratch: Database, revision: str | None) -> Columns:
    if revision is None:
        return {}
    run_revisions(scratch, "up", revision, lock_timeout_seconds=0, on_step=lambda _step: None)
    with scratch.connect() as connection:
        return columns_of(connection, scratch.schema)


def columns_of(connection: Connection, schema: Schema) -> dict[str, frozenset[str]]:
    """Columns by table of a database, without what is the tool's or an engine's own."""
    inspector = inspect(connection)
    hidden = schema.own_tables | schema.unmapped
    return {
        name: frozenset(c["name"] for c in inspector.get_columns(name)) - hidden
        for name in inspector.get_table_names()
        if name not in hidden
    }
