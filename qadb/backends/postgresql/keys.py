"""Natural keys to ids on PostgreSQL, whatever the statistics say or lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Text, any_, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import BindParameter, ColumnElement, Connection, Select, Table

SMALL_TABLE_BYTES = 4 * 1024 * 1024


def find_ids(
    connection: Connection,
    table: Table,
    column: str,
    keys: Iterable[str],
    scope: ColumnElement[bool],
) -> dict[str, int]:
    """The ids of the rows in ``scope`` by their keys.

    In a table that grew a moment ago the planner knows nothing of the rows. With ``ANY`` it then
    reads them all: the best way through a small table and a slow one through a large table.
    """
    array = bindparam("keys", list(keys), type_=ARRAY(Text), unique=True)
    name = connection.dialect.identifier_preparer.quote(table.name)
    size_bytes = connection.scalar(select(func.pg_relation_size(name))) or 0
    query = _from_all_rows if size_bytes < SMALL_TABLE_BYTES else _key_by_key
    return dict(connection.execute(query(table, column, array, scope)).all())


def _from_all_rows(
    table: Table, column: str, array: BindParameter[Sequence[str]], scope: ColumnElement[bool]
) -> Select[str, int]:
    (id_column,) = table.primary_key
    return select(table.c[column], id_column).where(table.c[column] == any_(array), scope)


def _key_by_key(
    table: Table, column: str, array: BindParameter[Sequence[str]], scope: ColumnElement[bool]
) -> Select[str, int]:
    """Look into the index once a key: a lateral subquery with a limit can't become a join."""
    (id_column,) = table.primary_key
    wanted = func.unnest(array).table_valued("key").render_derived(name="wanted")
    found = select(id_column).where(table.c[column] == wanted.c.key, scope).limit(1).lateral()
    return select(wanted.c.key, found.c[id_column.name]).join_from(wanted, found, true())
