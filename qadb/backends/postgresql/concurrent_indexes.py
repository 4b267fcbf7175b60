"""Indexes that a revision builds without a lock: CREATE INDEX CONCURRENTLY.

A build that is killed leaves an index that is there, costs every write and serves no query. Owns
how such a leftover is found, how it makes room when its revision runs again, and that the server
ends a build whose client is gone.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from qadb.backends.postgresql import connector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

logger = logging.getLogger(__name__)

_BUILDS = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r"""(?P<name>"(?:[^"]|"")+"|\w+)""",
    re.IGNORECASE,
)

POLL_SECONDS = 0.5

# Where an index of the current namespace is unfinished: the session at work on it, or null.
UNFINISHED = """
SELECT p.pid
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_stat_progress_create_index p ON p.index_relid = i.indexrelid
WHERE c.relname = %s AND c.relnamespace = current_schema()::regnamespace AND NOT i.indisvalid
"""

# For the session: a build is in no transaction. Without it a build that waits outlives its client.
NOTICE_LOST_CLIENT_SQL = "SET client_connection_check_interval = '{}'"
FORGET_LOST_CLIENT_SQL = "RESET client_connection_check_interval"


@contextlib.contextmanager
def building_anew(engine: Engine) -> Iterator[None]:
    """Drop an unfinished index right before a statement of this engine builds it.

    One that a run before, killed on this side, still builds on the server is waited for.
    One that a failure leaves now is named, so that nobody takes it for a working one.
    """
    begun: set[str] = set()

    def make_room(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        found = _BUILDS.match(statement)
        if found is None:
            return
        name = _plain(found["name"])
        begun.add(name)
        if _is_left_unfinished(connection, name):
            logger.warning("The index %s was left unfinished; it is built anew.", name)
            quoted = connection.dialect.identifier_preparer.quote_identifier(name)
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {quoted}")
        _set_if_known(connection, NOTICE_LOST_CLIENT_SQL.format(connector.LOST_CLIENT_INTERVAL))

    def tidy(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if _BUILDS.match(statement):
            _set_if_known(connection, FORGET_LOST_CLIENT_SQL)

    event.listen(engine, "before_cursor_execute", make_room)
    event.listen(engine, "after_cursor_execute", tidy)
    try:
        yield
    except BaseException:  # Ctrl-C leaves one as well
        _name_leftovers(engine, begun)
        raise
    finally:
        event.remove(engine, "before_cursor_execute", make_room)
        event.remove(engine, "after_cursor_execute", tidy)


def _is_left_unfinished(connection: Connection, name: str) -> bool:
    """Tell whether an index was never finished, once nobody is at work on it any more."""
    told = None
    while True:
        found = connection.exec_driver_sql(UNFINISHED, (name,)).one_or_none()
        if found is None or found[0] is None:
            return found is not None
        if told != found[0]:
            told = found[0]
            logger.warning("The index %s is being built by pid %s; waiting for it.", name, told)
        time.sleep(POLL_SECONDS)


def _set_if_known(connection: Connection, statement: str) -> None:
    """Some systems can't tell a server that its client is gone, and refuse the setting."""
    with contextlib.suppress(DBAPIError):
        connection.exec_driver_sql(statement)


def _name_leftovers(engine: Engine, names: set[str]) -> None:
    with contextlib.suppress(DBAPIError), engine.connect() as connection:
        for name in sorted(names):
            if connection.exec_driver_sql(UNFINISHED, (name,)).one_or_none() == (None,):
                logger.warning(
                    "The index %s is left unfinished; the next run builds it anew.", name
                )


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
