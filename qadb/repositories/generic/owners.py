"""Whose rows a session writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.sessions.unit import DEFAULT_TENANT, UnitOfWork

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def owner_of(session: Session) -> str:
    """Return the tenant that new rows of a session belong to when they name none."""
    tenant = session.tenant if isinstance(session, UnitOfWork) else None
    return DEFAULT_TENANT if tenant is None else tenant
