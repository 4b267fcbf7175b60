"""Lists of text on SQLite: what stands in one must be text, as PostgreSQL's arrays have it.

Owns the triggers that see to it: a list is JSON there, and a CHECK may not look into each member.
That it is a list at all is a CHECK of `qadb.models.forms`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import triggers
from qadb.models.types import TextArray

if TYPE_CHECKING:
    from sqlalchemy import Table

# It says what a CHECK would, in the name of the list's own, and comes after all CHECKs.
_TRIGGER = """\
CREATE TRIGGER trg_{table}_{column}_{name} AFTER {event} ON {table} FOR EACH ROW
WHEN NEW.{column} IS NOT NULL
  AND EXISTS (SELECT 1 FROM json_each(NEW.{column}) WHERE type <> 'text')
BEGIN
  SELECT RAISE(ABORT, 'CHECK constraint failed: ck_{table}_{column}_list');
END"""


def attach(table: Table) -> None:
    """Refuse other members in each of the table's lists of text."""
    for column in table.columns:
        if isinstance(column.type, TextArray):
            for name, event in (("insert", "INSERT"), ("update", f"UPDATE OF {column.name}")):
                parts = {"table": table.name, "column": column.name, "name": name, "event": event}
                triggers.with_table(table, "sqlite", _TRIGGER.format(**parts))
