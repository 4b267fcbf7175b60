"""The Core table behind a model, and whose rows a session writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from qadb.sessions.unit import DEFAULT_TENANT, UnitOfWork

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.orm import Session

    from qadb.models import Base


def table_of(model: type[Base]) -> Table:
    """Return the model's table; SQLAlchemy types it wider because joins can be mapped as well."""
    return cast("Table", model.__table__)


def owner_of(session: Session) -> str:
    """Return the tenant that new rows of a session belong to when they name none."""
    tenant = session.tenant if isinstance(session, UnitOfWork) else None
    return DEFAULT_TENANT if tenant is None else tenant
