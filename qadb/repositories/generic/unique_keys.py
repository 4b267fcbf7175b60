"""Unique keys of a table, with the condition of those that hold for some rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import ColumnElement, Table


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A key that no two rows share.

    Attributes:
        columns: their names.
        predicate: which rows it holds for; None means all.
    """

    name: str | None
    columns: tuple[str, ...]
    predicate: ColumnElement[bool] | None


def unique_keys(table: Table, dialect: str) -> Iterator[UniqueKey]:
    """Yield the table's unique keys, the primary key last."""
    for index in table.indexes:
        if index.unique:
            predicate = index.dialect_options[dialect].get("where")
            yield UniqueKey(index.name, tuple(c.name for c in index.columns), predicate)
    constraints = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    for constraint in (*constraints, table.primary_key):
        name = None if constraint.name is None else str(constraint.name)
        yield UniqueKey(name, tuple(c.name for c in constraint.columns), None)


def find_key(
    table: Table,
    dialect: str,
    columns: Collection[str] | None,
    *,
    given: Collection[str],
    filled_in: Collection[str] = (),
) -> UniqueKey:
    """Return the key over the columns, or the only one that the given values fill.

    Args:
        table: whose key it is.
        dialect: the engine's name in SQLAlchemy.
        columns: those of the key, without what is filled in if one likes.
        given: columns that have values.
        filled_in: columns that get theirs without being asked.

    Raises:
        ValueError: there is none, or more than one to choose from.
    """
    keys = list(unique_keys(table, dialect))
    if columns is not None:
        wanted = ({*columns}, {*columns, *filled_in})
        fitting = [key for key in keys if set(key.columns) in wanted]
    else:
        fitting = [key for key in keys if {*given, *filled_in}.issuperset(key.columns)]
        ours = [key for key in fitting if key.columns != _names(table.primary_key)]
        fitting = ours or fitting
    if len(fitting) != 1:
        known = "; ".join(", ".join(key.columns) for key in keys)
        raise ValueError(f"name the unique key of {table.name} to go by: {known}")
    return fitting[0]


def _names(key: PrimaryKeyConstraint) -> tuple[str, ...]:
    return tuple(column.name for column in key.columns)
