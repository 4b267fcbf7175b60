"""For whom a transaction works on SQLite: one row that the audit triggers read.

SQLite has no transaction-local settings, and triggers can't read temporary tables; so the row is
written when the transaction begins and taken out before it commits. No other connection sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.backends.values import Actor

SET_ACTOR_SQL = """
INSERT INTO audit_context (id, user_id, ip_address, user_agent, session_id) VALUES (1, ?, ?, ?, ?)
"""
CLEAR_SQL = "DELETE FROM audit_context"


def set_context(connection: Connection, *, tenant: str | None, actor: Actor | None) -> None:
    """State the actor; a file knows no tenants, the session alone keeps them apart."""
    del tenant
    if actor is None:
        return
    clear_context(connection)  # left there by other software, it would name somebody else
    connection.exec_driver_sql(
        SET_ACTOR_SQL, (actor.user_id, actor.ip_address, actor.user_agent, actor.session_id)
    )


def clear_context(connection: Connection) -> None:
    """Empty the row, which would outlive the transaction."""
    connection.exec_driver_sql(CLEAR_SQL)
