"""Reads the audit log in tests, and states on whose behalf a transaction works."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, text

from qadb.models import AuditLog

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.models.types import JsonDict


class Entry(NamedTuple):
    """What changed, as the log tells it; values that are NULL read as none."""

    action: str
    record_id: str
    old: JsonDict
    new: JsonDict


def entries(connection: Connection, table: str, *, after: int = 0) -> list[Entry]:
    """A table's entries in the order they were written, from behind an id on."""
    query = (
        select(AuditLog.action_type, AuditLog.record_id, AuditLog.old_values, AuditLog.new_values)
        .where(AuditLog.table_name == table, AuditLog.id > after)
        .order_by(AuditLog.id)
    )
    rows = connection.execute(query)
    return [Entry(action, key, old or {}, new or {}) for action, key, old, new in rows]


def actions(connection: Connection, table: str, *, after: int = 0) -> list[tuple[str, str]]:
    """The same without values."""
    return [entry[:2] for entry in entries(connection, table, after=after)]


def newest(connection: Connection) -> int:
    """The id of the newest entry."""
    query = select(AuditLog.id).order_by(AuditLog.id.desc()).limit(1)
    return connection.scalar(query) or 0


def begin_cleanup(connection: Connection) -> None:
    """Ask for the right to remove entries until the transaction ends."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO audit_context (is_cleanup) VALUES (1)"))
    else:
        connection.execute(text("SELECT set_config('qadb.audit_cleanup', 'on', true)"))


def act_as(connection: Connection, **facts: str) -> None:
    """State facts about the actor until the transaction ends."""
    if connection.dialect.name == "sqlite":
        names, marks = ", ".join(facts), ", ".join(f":{name}" for name in facts)
        insert = text(f"INSERT INTO audit_context ({names}) VALUES ({marks})")
        connection.execute(insert, facts)
    else:
        for name, value in facts.items():
            setting = {"name": f"qadb.{name}", "value": value}
            connection.execute(text("SELECT set_config(:name, :value, true)"), setting)


def act_as_nobody(connection: Connection) -> None:
    """Take back what was stated, as must be done before the transaction ends."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM audit_context"))
