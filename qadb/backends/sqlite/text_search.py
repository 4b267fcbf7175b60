"""Full text on SQLite: the FTS5 table that is named after a table, title before content."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Text, column, func, literal, literal_column
from sqlalchemy import table as named_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select, Table

M = TypeVar("M")

TITLE_WEIGHT = 10.0


def matching(
    query: Select[M], table: Table, words: Sequence[str], *, last_is_prefix: bool
) -> Select[M]:
    """Keep the rows that have every word, the best match first."""
    name = f"{table.name}_search"
    index = named_table(name, column("rowid"))
    whole: ColumnElement[str] = literal_column(name, Text())
    (id_column,) = table.primary_key
    expression = " ".join(f'"{word}"' for word in words) + ("*" if last_is_prefix else "")
    rank = func.bm25(whole, TITLE_WEIGHT)  # smaller is better
    return (
        query.join(index, index.c.rowid == id_column)
        .where(whole.op("MATCH")(literal(expression, Text())))
        .order_by(rank)
    )
