"""Rows named by themselves or by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qadb.models.mixins import HasId


def id_of(row: HasId | int) -> int:
    """Return the id of a row; raises ValueError for one that was not written yet."""
    if isinstance(row, int):
        return row
    row_id: int | None = row.id
    if row_id is None:
        raise ValueError(f"this {type(row).__name__} was not written yet: flush the session first")
    return row_id
