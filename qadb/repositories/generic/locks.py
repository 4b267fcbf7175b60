"""Rows kept from others who lock them, so that what is done in their name never overlaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from qadb.errors import RowNotFound
from qadb.models import Application, Product

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

L = TypeVar("L", Application, Product)


def lock_owner(session: Session, model: type[L], row_id: int) -> L:
    """Return a live row, kept from others who lock it until the transaction ends.

    Rows that refer to it can be written meanwhile. On SQLite a writer is alone anyhow.

    Raises:
        RowNotFound: there is none of this id.
    """
    live = select(model).where(model.id == row_id, model.deleted_at.is_(None))
    found = session.scalars(live.with_for_update(key_share=True)).one_or_none()
    if found is None:
        raise RowNotFound(f"There is no {model.__name__.lower()} {row_id!r}.")
    return found
