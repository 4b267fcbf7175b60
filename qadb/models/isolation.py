"""Isolation: PostgreSQL's own wall between tenants, for whoever is neither owner nor superuser.

Owns the row-level security policies: a transaction says which tenant it works for, and without
that there are no rows. Sessions confine themselves besides, on both engines; that is not done here.
Foreign keys and the log's triggers work as the tables' owner and pass the wall.

What it does not do: TRUNCATE and COPY FROM know no rows (the first is for owners alone, the second
PostgreSQL refuses), COPY TO leaves out rows without a word, a foreign key may name another tenant's
row by its bare id. And a role that may run SQL of its own choosing can state any tenant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import triggers

if TYPE_CHECKING:
    from sqlalchemy import Table

# Once a transaction-local setting has ended, it reads '' and not NULL.
_CURRENT_TENANT = "NULLIF(current_setting('qadb.tenant', true), '')"

# Not FORCE: owners and superusers, who migrate, back up and clean up, see all tenants.
_ENABLE = "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"

_POLICY = """\
CREATE POLICY tenant_isolation ON {table}
USING ({column} = {tenant}) WITH CHECK ({column} = {tenant})"""


def attach(table: Table, column: str) -> None:
    """Let each tenant see and write only the rows whose column names it."""
    policy = _POLICY.format(table=table.name, column=column, tenant=_CURRENT_TENANT)
    triggers.with_table(table, "postgresql", _ENABLE.format(table=table.name), policy)
