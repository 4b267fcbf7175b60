"""Full text on PostgreSQL: a table's generated column `search_document`, title before content."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Text, cast, func, literal, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, REAL, TSQUERY, TSVECTOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select, Table

M = TypeVar("M")

WORD_LETTERS = 500  # as many as the column keeps of a word
QUERY_WORDS = 500  # a query's words nest, and the server's stack is finite
WEIGHTS = (0.1, 0.1, 0.1, 1.0)  # of D, C, B and A


def matching(
    query: Select[M], table: Table, words: Sequence[str], *, last_is_prefix: bool
) -> Select[M]:
    """Keep the rows that have every word, the best match first."""
    name = f"{table.name}.search_document"
    document: ColumnElement[object] = literal_column(name, TSVECTOR())
    terms = [f"'{word[:WORD_LETTERS]}'" for word in words]
    if last_is_prefix:
        terms[-1] += ":*"
    parts = [
        cast(literal(" & ".join(terms[place : place + QUERY_WORDS]), Text()), TSQUERY())
        for place in range(0, len(terms), QUERY_WORDS)
    ]
    weights: ARRAY[float] = ARRAY(REAL())
    rank = func.ts_rank(cast(literal(list(WEIGHTS), weights), weights), document, parts[0])
    return query.where(*(document.op("@@")(part) for part in parts)).order_by(rank.desc())
