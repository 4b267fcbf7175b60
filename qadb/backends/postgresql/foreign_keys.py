"""Foreign keys bind two tables: what is done to one end of a key locks the table at the other.

The server takes a key's triggers from both tables when it goes, or makes it anew. Owns which other
tables a change reaches by way of the keys there are; what it does to its own is told elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qadb.backends.effects import ForeignKey
from qadb.backends.sql_text import WORD, mask, unquote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

# One row a key of the current namespace: its name, table and columns; the table and columns that it
# refers to, and the key of those.
FOREIGN_KEYS = """
SELECT k.conname::text, c.relname::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)),
       p.relname::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)),
       i.relname::text
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
JOIN pg_catalog.pg_class i ON i.oid = k.conindid
WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace
"""

_MAY_REACH = re.compile(
    r"ALTER\s+TABLE\b.*\b(?:DROP|TYPE)\b|DROP\s+TABLE\b|TRUNCATE\b", re.IGNORECASE | re.DOTALL
)
_IF_EXISTS = r"(?:IF\s+EXISTS\s+)?"
_DROPS_CONSTRAINT = re.compile(rf"DROP\s+CONSTRAINT\s+{_IF_EXISTS}(?P<name>{WORD})", re.IGNORECASE)
_DROPS_COLUMN = re.compile(
    rf"DROP\s+(?!CONSTRAINT\b)(?:COLUMN\s+)?{_IF_EXISTS}(?P<name>{WORD})", re.IGNORECASE
)
_CHANGES_TYPE = re.compile(
    rf"ALTER\s+(?:COLUMN\s+)?(?P<name>{WORD})\s+(?:SET\s+DATA\s+)?TYPE\b", re.IGNORECASE
)


def foreign_keys(connection: Connection, statement: str) -> tuple[ForeignKey, ...]:
    """Return the keys of the current namespace, before a statement that may touch one of them."""
    if not _MAY_REACH.match(mask(statement)):
        return ()
    return tuple(ForeignKey(*row) for row in connection.exec_driver_sql(FOREIGN_KEYS))


def reached_by_action(
    table: str, action: str, keys: Sequence[ForeignKey]
) -> Iterator[tuple[str, bool]]:
    """Yield the other tables that an action of ALTER TABLE locks, and whether it reads them whole.

    A key is checked against all its rows where what it refers to gets another type.
    """
    for pattern, is_of_constraint, checks in (
        (_DROPS_CONSTRAINT, True, False),
        (_DROPS_COLUMN, False, False),
        (_CHANGES_TYPE, False, True),
    ):
        found = pattern.match(action)
        if found is None:
            continue
        name = unquote(found["name"])
        for key in keys:
            own, other = (
                ((key.name,), (key.parent_key,))
                if is_of_constraint
                else (key.columns, key.parent_columns)
            )
            if key.table == table != key.parent and name in own:
                yield key.parent, False
            if key.parent == table != key.table and name in other:
                yield key.table, checks


def reached_by_drop(tables: Collection[str], keys: Sequence[ForeignKey]) -> Iterator[str]:
    """Yield the tables at the other ends of the keys of tables that go."""
    for key in keys:
        if (key.table in tables) != (key.parent in tables):
            yield key.parent if key.table in tables else key.table


def reached_by_truncate(tables: Collection[str], keys: Sequence[ForeignKey]) -> Iterator[str]:
    """Yield the tables that refer to those that are emptied, and to these, and so on."""
    reached = set(tables)
    while more := {k.table for k in keys if k.parent in reached} - reached:
        yield from sorted(more)
        reached |= more
