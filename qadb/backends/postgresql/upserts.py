"""INSERT … ON CONFLICT in PostgreSQL's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Insert
    from sqlalchemy.orm import DeclarativeBase


def insert_or_update(
    model: type[DeclarativeBase],
    values: Mapping[str, object] | Sequence[Mapping[str, object]],
    *,
    key: Sequence[str],
    predicate: ColumnElement[bool] | None,
    changes: Sequence[str],
) -> Insert:
    """Insert the values, or change the row with the same key to them."""
    rows = dict(values) if isinstance(values, Mapping) else [dict(row) for row in values]
    statement = insert(model).values(rows)
    return statement.on_conflict_do_update(
        index_elements=list(key),
        index_where=predicate,
        set_={name: statement.excluded[name] for name in changes},
    )
