"""What a SQLite file's catalog tells of keys and indexes that are not as they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qadb.backends.base_health import FoundObject, IndexUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

# Columns of each key, and of each index, by table. SQLite takes the columns of a key in the order
# of an index's own.
KEYS_SQL: Final = """
SELECT m.name AS table_name, k.id AS key_id, k."from" AS column_name
FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS k
WHERE m.type = 'table'
ORDER BY m.name, k.id, k.seq
"""
INDEXES_SQL: Final = """
SELECT m.name AS table_name, i.name AS index_name, i.origin, i."unique" AS is_unique, i.partial,
       x.name AS column_name, x.cid, x."desc" AS is_descending, x.coll, s.sql
FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS i
JOIN pragma_index_xinfo(i.name) AS x LEFT JOIN sqlite_master AS s ON s.name = i.name
WHERE m.type = 'table' AND x.key
ORDER BY m.name, i.seq DESC, x.seqno
"""
ROWIDS_SQL: Final = """
SELECT m.name AS table_name, c.name AS column_name
FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
WHERE m.type = 'table' AND c.pk = 1 AND upper(c.type) = 'INTEGER'
"""

STATEMENTS: Mapping[str, str] = {
    "unindexed_keys": f"{KEYS_SQL}\n{INDEXES_SQL}",
    "duplicate_indexes": INDEXES_SQL,
}

_EXPRESSION = -2


def unindexed_keys(connection: Connection) -> tuple[FoundObject, ...]:
    """Foreign keys that no index begins with."""
    keys: dict[tuple[str, int], list[str]] = {}
    for row in connection.exec_driver_sql(KEYS_SQL):
        keys.setdefault((row.table_name, row.key_id), []).append(row.column_name)
    served: dict[str, list[list[str]]] = {}
    for row in connection.exec_driver_sql(ROWIDS_SQL):
        served.setdefault(row.table_name, []).append([row.column_name])
    for table, columns in _columns_by_index(connection).values():
        served.setdefault(table, []).append(columns)
    quote = connection.dialect.identifier_preparer.quote
    return tuple(
        FoundObject(
            f"key ({', '.join(columns)}) of {table}",
            f"no index begins with {', '.join(columns)}",
            f"CREATE INDEX {quote(f'ix_{table}_' + '_'.join(columns))} ON {quote(table)} "
            f"({', '.join(map(quote, columns))})",
        )
        for (table, _), columns in keys.items()
        if not any({*index[: len(columns)]} == {*columns} for index in served.get(table, []))
    )


def duplicate_indexes(connection: Connection) -> tuple[FoundObject, ...]:
    """Indexes that another one of the table serves as well; a constraint's own stays."""
    found: dict[str, list[object]] = {}
    facts: dict[str, tuple[str, str, int]] = {}
    for row in connection.exec_driver_sql(INDEXES_SQL):
        facts[row.index_name] = (row.table_name, row.origin, row.is_unique)
        definition = found.setdefault(row.index_name, [row.table_name])
        text = row.sql.partition(" ON ")[2] if row.partial or row.cid == _EXPRESSION else None
        definition.append((row.column_name, row.is_descending, row.coll, text))
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, definition in found.items():
        groups.setdefault(tuple(definition), []).append(name)
    return tuple(
        FoundObject(
            f"index {name}", f"the same as {kept}", f"DROP INDEX {_quote(connection, name)}"
        )
        for names in groups.values()
        for kept in [max(names, key=lambda each: (facts[each][1] != "c", facts[each][2]))]
        for name in names
        if name != kept and facts[name][1] == "c"
    )


def invalid_objects(connection: Connection) -> tuple[FoundObject, ...]:
    """An index of a file is whole, or damaged, which the checks of its pages tell."""
    del connection
    return ()


def unused_indexes(connection: Connection) -> IndexUse:
    """SQLite counts no use."""
    del connection
    return IndexUse(0.0, ())


def open_tables(connection: Connection) -> tuple[FoundObject, ...]:
    """A file knows no row security."""
    del connection
    return ()


def _columns_by_index(connection: Connection) -> dict[str, tuple[str, list[str]]]:
    """Table and columns of each index that leaves out no rows but those with NULL."""
    found: dict[str, tuple[str, list[str]]] = {}
    for row in connection.exec_driver_sql(INDEXES_SQL):
        condition = (row.sql or "").upper().rpartition(" WHERE ")[2] if row.partial else ""
        if not row.partial or condition.endswith(" IS NOT NULL"):
            found.setdefault(row.index_name, (row.table_name, []))[1].append(row.column_name)
    return found


def _quote(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)
