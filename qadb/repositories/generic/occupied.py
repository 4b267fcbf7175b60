"""Which tables hold rows of somebody's own: what fills a database goes where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import literal, select

from qadb.models import Base, Country, Permission, Role, RolePermission, Tenant, TestType
from qadb.models.mixins import DEFAULT_TENANT
from qadb.repositories.generic.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection

# Revisions fill these; what somebody added to them is in nobody's way.
REFERENCE_TABLES = frozenset(
    table_of(each) for each in (Country, Permission, Role, RolePermission, TestType)
)
_TENANTS = table_of(Tenant)


def tables_in_use(connection: Connection, tables: Collection[str]) -> Iterator[str]:
    """Names of tables with rows, in the order of the alphabet; reference data left out."""
    for name, table in sorted(Base.metadata.tables.items()):
        if name not in tables or table in REFERENCE_TABLES:
            continue
        query = select(literal(1)).select_from(table).limit(1)
        if table is _TENANTS:
            query = query.where(_TENANTS.c.id != DEFAULT_TENANT)
        if connection.execute(query).first() is not None:
            yield name
