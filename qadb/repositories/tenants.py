"""Tenants by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import metadata
from qadb.sessions.known_tenants import require_known_tenant

if TYPE_CHECKING:
    from sqlalchemy import Connection


def require_tenant(connection: Connection, tenant_id: str) -> None:
    """Raise ConfigurationError unless there is such a tenant; the hint names those there are."""
    require_known_tenant(connection, metadata, tenant_id)
