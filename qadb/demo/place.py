"""Whether a demo is there, and what it was made from.

A demo is recognised by the tenant that it brings, which nobody else names so and no cleanup takes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from qadb.demo.companies import DEMO_TENANT
from qadb.demo.syncs import DEMO_SOURCE
from qadb.models import SyncEvent, Tenant
from qadb.repositories.generic.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

_TENANTS = table_of(Tenant)
_SYNCS = table_of(SyncEvent)


@dataclass(frozen=True, slots=True)
class FoundDemo:
    """A demo that is there, and what it was made from where that is still known."""

    seed: int | None = None
    scale: int | None = None


def find_demo(connection: Connection, tables: Collection[str]) -> FoundDemo | None:
    """The demo that the database holds; ``tables`` names the tables that there are."""
    if _TENANTS.name not in tables:
        return None
    is_there = select(_TENANTS.c.id).where(_TENANTS.c.id == DEMO_TENANT)
    if connection.execute(is_there).first() is None:
        return None
    if _SYNCS.name not in tables:
        return FoundDemo()
    told = select(_SYNCS.c.cursor).where(_SYNCS.c.source == DEMO_SOURCE).order_by(_SYNCS.c.id)
    text = connection.execute(told.limit(1)).scalar()
    return FoundDemo() if text is None else FoundDemo(**json.loads(text))
