"""Rows that are named by themselves or by their key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect

from qadb.errors import RowNotFound
from qadb.repositories.generic.reading import M, Reader
from qadb.repositories.generic.tables import table_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def require_row(
    session: Session, model: type[M], row: M | object, *, include_deleted: bool = False
) -> M:
    """Return the session's row, given itself or by its key.

    An object that is not in the session stands for its key: a change of the object itself would
    never be written.

    Raises:
        RowNotFound: the session sees no row with this key, or the object was never written.
    """
    if isinstance(row, model):
        if row in session:
            return row
        state = inspect(row)
        if state.identity is None:
            raise RowNotFound(f"This {model.__name__} was not written yet: create it first.")
        key: object = state.identity
    else:
        key = row
    found = Reader(session, model).get(key, include_deleted=include_deleted)
    if found is None:
        raise RowNotFound(f"There is no row {row!r} in {table_of(model).name}.")
    return found
