"""Rows that are named by themselves or by their key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.errors import RowNotFound
from qadb.repositories.reading import M, Reader
from qadb.repositories.tables import table_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def require_row(
    session: Session, model: type[M], row: M | object, *, include_deleted: bool = False
) -> M:
    """Return the row, given itself or by its key; raises RowNotFound for a key without one."""
    if isinstance(row, model):
        return row
    found = Reader(session, model).get(row, include_deleted=include_deleted)
    if found is None:
        raise RowNotFound(f"There is no row {row!r} in {table_of(model).name}.")
    return found
