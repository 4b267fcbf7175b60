"""Triggers as part of the metadata, so that ``create_all`` makes what the revisions make.

Owns how DDL of one engine hangs on a table, and `updated_at` on both engines: which tables have it
follows from their columns. Other triggers lie with what they are for: `qadb.models.audit`,
`qadb.models.search`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import DDL, event

from qadb.models.functions import SQLITE_UTC_NOW

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table
    from sqlalchemy.schema import ExecutableDDLElement

_CREATE_FUNCTION = """\
CREATE OR REPLACE FUNCTION qadb_set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$$"""

_DROP_FUNCTION = "DROP FUNCTION IF EXISTS qadb_set_updated_at()"

_POSTGRESQL_TRIGGER = """\
CREATE TRIGGER trg_{table}_updated_at BEFORE UPDATE ON {table}
FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at)
EXECUTE FUNCTION qadb_set_updated_at()"""

# The second condition keeps the trigger from firing itself where recursive triggers are on and
# the clock still shows the millisecond of the last change.
_SQLITE_TRIGGER = """\
CREATE TRIGGER trg_{table}_updated_at AFTER UPDATE ON {table}
FOR EACH ROW WHEN NEW.updated_at IS OLD.updated_at AND NEW.updated_at IS NOT {now}
BEGIN
  UPDATE {table} SET updated_at = {now} WHERE {key};
END"""


def attach_functions(metadata: MetaData) -> None:
    """Create the triggers' functions before the first table and drop them after the last."""
    before_tables(metadata, _CREATE_FUNCTION)
    after_tables(metadata, _DROP_FUNCTION)


def attach_updated_at(table: Table) -> None:
    """Keep the table's `updated_at` by trigger, unless a statement sets it itself."""
    key = " AND ".join(f"{column.name} = NEW.{column.name}" for column in table.primary_key)
    with_table(table, "postgresql", _POSTGRESQL_TRIGGER.format(table=table.name))
    sqlite = _SQLITE_TRIGGER.format(table=table.name, now=SQLITE_UTC_NOW, key=key)
    with_table(table, "sqlite", sqlite)


def before_tables(metadata: MetaData, *statements: str) -> None:
    """Run statements on PostgreSQL before the first table is made: triggers need functions."""
    for statement in statements:
        event.listen(metadata, "before_create", _ddl(statement, "postgresql"))


def after_tables(metadata: MetaData, *statements: str) -> None:
    """Run statements on PostgreSQL after the last table is dropped."""
    for statement in statements:
        event.listen(metadata, "after_drop", _ddl(statement, "postgresql"))


def with_table(table: Table, dialect: str, *statements: str) -> None:
    """Run statements of one engine as soon as the table is made."""
    for statement in statements:
        event.listen(table, "after_create", _ddl(statement, dialect))


def without_table(table: Table, dialect: str, *statements: str) -> None:
    """Run statements of one engine as soon as the table is dropped."""
    for statement in statements:
        event.listen(table, "after_drop", _ddl(statement, dialect))


def _ddl(statement: str, dialect: str) -> ExecutableDDLElement:
    """Make a statement of one engine; DDL() formats its text, hence the doubled percent signs."""
    ddl = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]  # SQLAlchemy's gap
    return ddl.execute_if(dialect=dialect)
