"""The Core table behind a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from sqlalchemy import Table

    from qadb.models import Base


def table_of(model: type[Base]) -> Table:
    """Return the model's table; SQLAlchemy types it wider because joins can be mapped as well."""
    return cast("Table", model.__table__)
