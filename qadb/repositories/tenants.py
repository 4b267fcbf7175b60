"""Tenants by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from qadb.errors import ConfigurationError
from qadb.models import Tenant
from qadb.repositories.generic.tables import table_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MOST_NAMED = 10


def require_tenant(connection: Connection, tenant_id: str) -> None:
    """Raise ConfigurationError unless there is such a tenant; the hint names those there are."""
    tenants = table_of(Tenant)
    if connection.execute(select(tenants.c.id).where(tenants.c.id == tenant_id)).first():
        return
    names = connection.scalars(select(tenants.c.id).order_by(tenants.c.id).limit(_MOST_NAMED + 1))
    listed = list(names)
    shown = ", ".join(listed[:_MOST_NAMED]) + (", …" if len(listed) > _MOST_NAMED else "")
    raise ConfigurationError(
        f"There is no tenant {tenant_id!r}.", hint=f"Check --tenant or QADB_TENANT: {shown}."
    )
