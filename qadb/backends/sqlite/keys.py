"""Natural keys to ids on SQLite: one look into the index a key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import Text, bindparam, func, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Connection, Table


def find_ids(
    connection: Connection,
    table: Table,
    column: str,
    keys: Iterable[str],
    scope: ColumnElement[bool],
) -> dict[str, int]:
    """The ids of the rows in ``scope`` by their keys.

    The keys travel as one JSON list: a list of placeholders has to be compiled and bound each time.
    """
    document = bindparam("keys", json.dumps(list(keys)), type_=Text, unique=True)
    wanted = select(func.json_each(document).table_valued("value").c.value)
    (id_column,) = table.primary_key
    query = select(table.c[column], id_column).where(table.c[column].in_(wanted), scope)
    return dict(connection.execute(query).all())
