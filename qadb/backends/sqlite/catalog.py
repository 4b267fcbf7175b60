"""Reads SQLite's catalog: what its pragmas tell, and the rest from the text of its definitions.

Only the text knows CHECKs, collations, generated columns and triggers, so it is compared as well:
comments, white space, quotes around names and the case of words outside strings are no difference,
nor is the order of a table's columns and constraints, nor whether a named CHECK stands with its
column, where alone ALTER TABLE can put it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from qadb.backends.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

# type: table, index, trigger or view; name; table: what it belongs to; sql: as it was written.
# What a virtual table keeps its data in is the engine's own affair and differs by its version.
OBJECTS = """
SELECT type, name, tbl_name AS "table", sql FROM sqlite_master
WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  AND tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')
ORDER BY name
"""

# name; type; required: 0 or 1; default: as text; key: place in the primary key; hidden: 0 ordinary,
# 1 virtual table's, 2 and 3 generated.
COLUMNS = """
SELECT name, type, "notnull" AS required, dflt_value AS "default", pk AS key, hidden
FROM pragma_table_xinfo(:table)
"""

# One row a foreign key: its columns, the parent and its columns, actions.
FOREIGN_KEYS = """
SELECT group_concat("from", ', ') AS own, "table" AS parent, group_concat("to", ', ') AS other,
       on_update, on_delete, "match"
FROM (SELECT * FROM pragma_foreign_key_list(:table) ORDER BY id, seq)
GROUP BY id, parent, on_update, on_delete, "match"
"""

# name; is_unique; origin: c for CREATE INDEX, u for UNIQUE, pk; is_partial; members: its columns in
# order, each with collation and direction.
INDEXES = """
SELECT l.name, l."unique" AS is_unique, l.origin, l.partial AS is_partial,
       (SELECT group_concat(coalesce(x.name, '<expression>') || ' ' || x.coll
                            || CASE x."desc" WHEN 1 THEN ' desc' ELSE '' END, ', ')
        FROM (SELECT * FROM pragma_index_xinfo(l.name) WHERE key = 1 ORDER BY seqno) AS x
       ) AS members
FROM pragma_index_list(:table) AS l
"""

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\])
    | (?P<comment>--[^\n]* | /\*.*?(?:\*/|\Z))
    | (?P<word>[\w$]+)
    | (?P<sign><> | <= | >= | == | != | \|\| | << | >> | ->> | -> | \S)""",
    re.VERBOSE | re.DOTALL,
)
_Token: TypeAlias = tuple[str, bool]
_CONSTRAINT_WORDS = frozenset({"constraint", "primary", "unique", "check", "foreign"})
REMEMBERED = 1024  # definitions: what a database has is mostly what it should have


class _Definition(NamedTuple):
    """A table as it was written: its columns' texts by name, and its constraints' by name."""

    columns: Mapping[str, str]
    constraints: Sequence[tuple[str, str]]
    ending: str


def read_catalog(connection: Connection, *, ignore_tables: frozenset[str]) -> Catalog:
    """Describe every object of the database but those of the tables named."""
    objects: dict[str, str] = {}
    for kind, name, table, sql in connection.exec_driver_sql(OBJECTS):
        if table in ignore_tables:
            continue
        if kind == "table":
            objects.update(_table_objects(connection, name, sql))
        elif kind != "index":  # indexes come with their table
            objects[f"{kind} {name}"] = normalise(sql)
    return Catalog(objects)


@lru_cache(REMEMBERED)
def normalise(sql: str) -> str:
    """Write SQL with single blanks, unquoted names and small letters outside strings."""
    return " ".join(text for text, _ in _tokens(sql))


def _tokens(sql: str) -> Iterator[_Token]:
    """Yield every token as comparable text, and whether it is a bare word."""
    for match in _TOKEN.finditer(sql):
        text = match.group()
        if match.lastgroup == "quoted":
            yield text[1:-1].replace(text[-1] * 2, text[-1]).lower(), False
        elif match.lastgroup == "string":
            yield text, False
        elif match.lastgroup != "comment":
            yield text.lower(), match.lastgroup == "word"


def _table_objects(connection: Connection, table: str, sql: str) -> Iterator[tuple[str, str]]:
    written = _read_definition(sql)
    yield f"table {table}", written.ending
    for name, constraint in written.constraints:
        yield f"table {table} constraint {name}", constraint
    for row in _rows(connection, COLUMNS, table):
        facts = [row["type"].lower(), "not null" if row["required"] else "null"]
        facts += [f"default {normalise(row['default'])}"] if row["default"] is not None else []
        facts += [f"{fact} {row[fact]}" for fact in ("key", "hidden") if row[fact]]
        definition = written.columns.get(row["name"].lower(), "")
        yield f"table {table} column {row['name'].lower()}", f"{' '.join(facts)}; {definition}"
    yield from _key_objects(connection, table)


@lru_cache(REMEMBERED)
def _read_definition(sql: str) -> _Definition:
    items, ending = _split_definition(sql)
    columns: dict[str, str] = {}
    constraints: list[tuple[str, str]] = []
    for item in (part for whole in items for part in _apart(whole)):
        words = [text for text, _ in item]
        if item[0][1] and words[0] in _CONSTRAINT_WORDS:
            name = words[1] if words[0] == "constraint" else " ".join(words)
            constraints.append((name, " ".join(words)))
        else:
            columns[words[0]] = " ".join(words[1:])
    return _Definition(columns, constraints, ending)


def _apart(item: list[_Token]) -> Iterator[list[_Token]]:
    """Yield a column without its named CHECKs, and each of those; constraints come as they are."""
    rest: list[_Token] = item[:1]
    place = 1
    while place < len(item):
        named = item[place : place + 3]
        end = place + 1
        if [named[0], *named[2:]] == [("constraint", True), ("check", True)]:
            end = _closing(item, place + 3) + 1
            yield item[place:end]
        else:
            rest.append(item[place])
        place = end
    yield rest


def _key_objects(connection: Connection, table: str) -> Iterator[tuple[str, str]]:
    for row in _rows(connection, FOREIGN_KEYS, table):
        name = f"table {table} foreign key ({row['own']}) to {row['parent']}"
        actions = f"on update {row['on_update']} on delete {row['on_delete']} match {row['match']}"
        yield name, f"({row['other']}) {actions}"
    for row in _rows(connection, INDEXES, table):
        facts = f"({row['members']}) unique {row['is_unique']} partial {row['is_partial']}"
        if row["origin"] == "c":
            yield (
                f"index {row['name']}",
                f"on {table} {facts}; {_index_sql(connection, row['name'])}",
            )
        else:
            yield f"table {table} {row['origin']} ({row['members']})", facts


def _closing(item: list[_Token], opening: int) -> int:
    """Return the place of the bracket that closes the one at ``opening``."""
    depth = 0
    for place in range(opening, len(item)):
        text, is_word = item[place]
        depth += 0 if is_word else (text == "(") - (text == ")")
        if depth == 0:
            return place
    return len(item) - 1


def _index_sql(connection: Connection, name: str) -> str:
    query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?"
    return normalise(str(connection.exec_driver_sql(query, (name,)).scalar_one()))


def _rows(connection: Connection, query: str, table: str) -> Sequence[RowMapping]:
    """Run a query about one table."""
    return connection.exec_driver_sql(query, {"table": table}).mappings().all()


def _split_definition(sql: str) -> tuple[list[list[_Token]], str]:
    """Split CREATE TABLE into its columns and constraints, and what follows the brackets."""
    tokens = list(_tokens(sql))
    if tokens[1][0] == "virtual":
        return [], " ".join(text for text, _ in tokens)
    items: list[list[_Token]] = [[]]
    depth = 0
    rest: list[str] = []
    for token in tokens[tokens.index(("(", False)) :]:
        depth -= token[0] == ")" and not token[1]
        if depth == 0 and token[0] != "(":
            rest.append(token[0])
        elif depth == 1 and token == (",", False):
            items.append([])
        elif depth:
            items[-1].append(token)
        depth += token[0] == "("
    return items, " ".join(rest[1:])
