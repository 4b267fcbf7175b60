"""For whom a transaction works on PostgreSQL: transaction-local settings.

Row-level security reads the tenant, the audit triggers read the actor. The settings end with the
transaction, so that nothing leaks into the next one on a pooled connection, PgBouncer's included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.backends.values import Actor

# With row security off, a role that the policies apply to gets an error instead of fewer rows.
ALL_TENANTS = ("row_security", "off")


def set_context(connection: Connection, *, tenant: str | None, actor: Actor | None) -> None:
    """Set tenant and actor until the transaction ends."""
    settings = context_settings(tenant=tenant, actor=actor)
    calls = ", ".join(["pg_catalog.set_config(%s, %s, true)"] * len(settings))
    parameters = tuple(word for setting in settings.items() for word in setting)
    connection.exec_driver_sql(f"SELECT {calls}", parameters)


def context_settings(*, tenant: str | None, actor: Actor | None) -> dict[str, str]:
    """The settings that state them."""
    settings = dict([ALL_TENANTS] if tenant is None else [("qadb.tenant", tenant)])
    if actor is not None:
        stated = {
            "user_id": actor.user_id,
            "ip_address": actor.ip_address,
            "user_agent": actor.user_agent,
            "session_id": actor.session_id,
        }
        settings |= {f"qadb.{name}": str(v) for name, v in stated.items() if v is not None}
    return settings


def clear_context(connection: Connection) -> None:
    """Nothing outlives the transaction."""
    del connection
