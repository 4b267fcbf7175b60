"""What a PostgreSQL database tells of its own health, as far as every engine can."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Final

from qadb.backends.postgresql import schema_facts, server_facts
from qadb.backends.postgresql.connector import OLDEST_SUPPORTED
from qadb.backends.postgresql.refusals import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection

    from qadb.settings import DatabaseUrl

QUERY_CANCELED: Final = "57014"
INSUFFICIENT_PRIVILEGE: Final = "42501"

CONFINE_SQL: Final = """
SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
       set_config('idle_in_transaction_session_timeout', %s, true)
"""

oldest_supported: tuple[int, ...] = (OLDEST_SUPPORTED,)

# https://www.postgresql.org/support/versioning/
end_of_life: Mapping[int, date] = {
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}

statements: Mapping[str, str] = {
    "ping": "SELECT 1",
    **schema_facts.STATEMENTS,
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
def confined(
    connection: Connection, *, seconds: float, lock_seconds: float, is_stopped: Callable[[], bool]
) -> Iterator[None]:
    """Set the server's own timeouts until the transaction ends; they stop what nobody wants."""
    del is_stopped
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
