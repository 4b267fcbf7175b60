"""What a PostgreSQL database tells of its own health, as far as every engine can."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from qadb.backends.base_health import FoundObject
from qadb.backends.postgresql import server_facts
from qadb.backends.postgresql.connector import OLDEST_SUPPORTED
from qadb.backends.postgresql.refusals import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from qadb.settings import DatabaseUrl

QUERY_CANCELED: Final = "57014"
INSUFFICIENT_PRIVILEGE: Final = "42501"

CONFINE_SQL: Final = """
SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
       set_config('idle_in_transaction_session_timeout', %s, true)
"""

# Of the namespaces that are nobody's own: what is built or checked only in part. An index that a
# session is at work on right now is left out.
INVALID_SQL: Final = """
SELECT 'index ' || i.indexrelid::regclass AS name,
       'left unfinished or broken: it costs every write and serves no query' AS detail,
       'REINDEX INDEX CONCURRENTLY ' || i.indexrelid::regclass AS remedy
FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname !~ '^pg_'
  AND c.relkind = 'i'
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
UNION ALL
SELECT 'constraint ' || quote_ident(o.conname) || ' of ' || o.conrelid::regclass,
       'NOT VALID: rows written before it was made were never checked',
       'ALTER TABLE ' || o.conrelid::regclass || ' VALIDATE CONSTRAINT ' || quote_ident(o.conname)
FROM pg_catalog.pg_constraint AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.connamespace
WHERE NOT o.convalidated AND n.nspname !~ '^pg_'
ORDER BY 1
"""

oldest_supported: tuple[int, ...] = (OLDEST_SUPPORTED,)

statements: Mapping[str, str] = {
    "ping": "SELECT 1",
    "invalid_objects": INVALID_SQL,
    **server_facts.STATEMENTS,
}

_DENIED = re.compile(r"permission denied for (?P<kind>\w+) (?P<name>.+)")
_READING = {
    "table": "GRANT SELECT ON TABLE {name} TO {role}",
    "view": "GRANT SELECT ON {name} TO {role}",
    "schema": "GRANT USAGE ON SCHEMA {name} TO {role}",
    "function": "GRANT EXECUTE ON FUNCTION {name} TO {role}",
    "database": "GRANT CONNECT ON DATABASE {name} TO {role}",
}


@contextmanager
def confined(connection: Connection, *, seconds: float, lock_seconds: float) -> Iterator[None]:
    """Set the server's own timeouts until the transaction ends."""
    milliseconds = str(max(1, round(seconds * 1000)))
    waiting = str(max(1, round(min(lock_seconds, seconds) * 1000)))
    idle = str(max(1, round(seconds * 1000)) + 60_000)
    connection.exec_driver_sql(CONFINE_SQL, (milliseconds, waiting, idle))
    yield


def was_stopped(error: BaseException) -> bool:
    """Tell whether the statement timeout ended it."""
    return _state(error) == QUERY_CANCELED


def missing_grant(error: BaseException, url: DatabaseUrl) -> str | None:
    """Return the GRANT, where the server's words (in English) tell on what."""
    driver_error = getattr(error, "orig", None) or error
    reason = str(driver_error).strip().partition("\n")[0]
    if _state(error) != INSUFFICIENT_PRIVILEGE:
        return None
    role = quoted(url.user or "…")
    if "row-level security" in reason:
        return f"ALTER ROLE {role} BYPASSRLS"
    denied = _DENIED.search(reason)
    if denied is None or denied["kind"] not in _READING:
        return f"GRANT pg_monitor TO {role}"
    return _READING[denied["kind"]].format(name=quoted(denied["name"].strip('"')), role=role)


def _state(error: BaseException) -> str | None:
    driver_error = getattr(error, "orig", None) or error
    state: str | None = getattr(driver_error, "pgcode", None)
    return state


def ping(connection: Connection) -> None:
    """Ask for nothing."""
    connection.exec_driver_sql(statements["ping"])


def invalid_objects(connection: Connection) -> tuple[FoundObject, ...]:
    """Indexes that are not valid and constraints that were never checked."""
    rows = connection.exec_driver_sql(INVALID_SQL).all()
    return tuple(FoundObject(row.name, row.detail, row.remedy) for row in rows)
