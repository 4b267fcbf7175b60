"""What SQLite's REPLACE takes away in silence: rows that go without a delete trigger.

``INSERT OR REPLACE`` and ``UPDATE OR REPLACE`` delete every row that stands in the way of a unique
key; delete triggers fire for those only where `recursive_triggers` is on. So a trigger before each
row is written puts aside what stands in its way, and one after it, which fires only if the row was
written, finds there what was replaced. ``OR IGNORE`` and upserts leave rows aside that are still in
their table; the next row that is written clears them.

Owns the table where they lie meanwhile. What becomes of them is said in `qadb.models.audit` and
`qadb.models.search`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import Index, Table, UniqueConstraint

from qadb.models import triggers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A row's id is a number wherever rows are put aside.
_CREATE_TABLE = """\
CREATE TABLE replaced_rows (
  table_name VARCHAR(100) NOT NULL,
  record_id INTEGER NOT NULL,
  tenant_id VARCHAR(50) NOT NULL,
  old_values JSON NOT NULL,
  CONSTRAINT pk_replaced_rows PRIMARY KEY (table_name, record_id)
) WITHOUT ROWID"""

_BEFORE_INSERT = """\
CREATE TRIGGER trg_{table}_replacing_insert BEFORE INSERT ON {table} FOR EACH ROW
BEGIN
  DELETE FROM replaced_rows WHERE table_name = '{table}';
  INSERT INTO replaced_rows (table_name, record_id, tenant_id, old_values)
  SELECT '{table}', id, tenant_id, {values} FROM {table} WHERE {obstacles};
END"""

_BEFORE_UPDATE = """\
CREATE TRIGGER trg_{table}_replacing_{name} BEFORE {event} ON {table} FOR EACH ROW
WHEN {condition}
BEGIN
  DELETE FROM replaced_rows WHERE table_name = '{table}';
  INSERT INTO replaced_rows (table_name, record_id, tenant_id, old_values)
  SELECT '{table}', id, tenant_id, {values} FROM {table} WHERE id <> OLD.id AND ({obstacles});
END"""


def attach_table(table: Table) -> None:
    """Make the table where rows lie aside together with one that needs it."""
    triggers.with_table(table, "sqlite", _CREATE_TABLE)
    triggers.without_table(table, "sqlite", "DROP TABLE replaced_rows")


def put_aside(table: Table, values: str) -> None:
    """Put rows aside that another is about to replace, as the JSON that `values` makes of them."""
    keys = list(_unique_keys(table))
    parts = {
        "table": table.name,
        "values": values,
        "obstacles": " OR ".join(_is_obstacle(key) for key in keys),
    }
    triggers.with_table(table, "sqlite", _BEFORE_INSERT.format(**parts))
    for update in updates(key_columns(table)):
        triggers.with_table(table, "sqlite", _BEFORE_UPDATE.format(**parts, **update))


def updates(columns: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield name, event and condition of the triggers that see a change of any of the columns.

    ``UPDATE OF id`` does not see ``SET rowid``, ``oid`` or ``_rowid_``, which change it as well. So
    what moves a row to another id has a trigger for all updates, and every change one alone.
    """
    others = ", ".join(column for column in columns if column != "id")
    if others:
        condition = "NEW.id = OLD.id"
        yield {"name": "update", "event": f"UPDATE OF {others}", "condition": condition}
    yield {"name": "move", "event": "UPDATE", "condition": "NEW.id <> OLD.id"}


def key_columns(table: Table) -> list[str]:
    """Columns whose change can replace another row, in the table's order."""
    names = {name for columns, condition in _unique_keys(table) for name in columns}
    live = {"deleted_at"} & {column.name for column in table.columns}
    partial = any(condition for _, condition in _unique_keys(table))
    return [c.name for c in table.columns if c.name in names | (live if partial else set())]


def _unique_keys(table: Table) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield the columns of every unique key, and whether it looks at live rows only."""
    yield tuple(column.name for column in table.primary_key), False
    unique = [key for key in table.constraints if isinstance(key, UniqueConstraint)]
    yield from sorted((tuple(column.name for column in key.columns), False) for key in unique)
    indexes = [index for index in table.indexes if index.unique]
    yield from sorted(
        (tuple(c.name for c in index.columns), _is_partial(index)) for index in indexes
    )


def _is_partial(index: Index) -> bool:
    condition = cast("object", index.dialect_kwargs.get("sqlite_where"))
    if condition is not None and str(condition) != "deleted_at IS NULL":
        raise NotImplementedError(f"{index.name} holds neither all rows nor the live ones")
    return condition is not None


def _is_obstacle(key: tuple[tuple[str, ...], bool]) -> str:
    columns, is_partial = key
    equal = [f"{name} = NEW.{name}" for name in columns]
    live = ["deleted_at IS NULL", "NEW.deleted_at IS NULL"] if is_partial else []
    return " AND ".join([*equal, *live])
