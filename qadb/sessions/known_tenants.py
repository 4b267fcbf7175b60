"""Whether a tenant is known: for whoever is given a tenant's name by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from qadb.errors import ConfigurationError
from qadb.sessions.tenant_tables import find_tenant_tables

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, MetaData

_MOST_NAMED = 10


def require_known_tenant(connection: Connection, metadata: MetaData, tenant_id: str) -> None:
    """Raise ConfigurationError unless there is such a tenant; the hint names those there are.

    A schema whose rows refer to no table of tenants has any.
    """
    known = _find_key(metadata)
    if known is None or connection.scalar(select(known).where(known == tenant_id)) is not None:
        return
    listed = list(connection.scalars(select(known).order_by(known).limit(_MOST_NAMED + 1)))
    shown = ", ".join(listed[:_MOST_NAMED]) + (", …" if len(listed) > _MOST_NAMED else "")
    raise ConfigurationError(
        f"There is no tenant {tenant_id!r}.", hint=f"Check --tenant or QADB_TENANT: {shown}."
    )


def _find_key(metadata: MetaData) -> Column[str] | None:
    """The key of the table that the rows of the others belong to."""
    for owner in find_tenant_tables(metadata).owners.values():
        for key in owner.foreign_keys:
            return key.column
    return None
