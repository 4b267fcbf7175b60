"""Indexes that a revision builds without a lock: CREATE INDEX CONCURRENTLY.

A build that is killed leaves an index that is there, costs every write and serves no query. Owns
how such a leftover is found, and how it makes room when its revision runs again.
"""

from __future__ import annotations

import contextlib
import logging
import re
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

logger = logging.getLogger(__name__)

_BUILDS = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r"""(?P<name>"(?:[^"]|"")+"|\w+)""",
    re.IGNORECASE,
)

# Whether an index of the current namespace was never finished and nobody is at work on it.
IS_LEFTOVER = """
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  WHERE c.relname = %s AND c.relnamespace = current_schema()::regnamespace AND NOT i.indisvalid
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p
                    WHERE p.index_relid = i.indexrelid))
"""


@contextlib.contextmanager
def building_anew(engine: Engine) -> Iterator[None]:
    """Drop an unfinished index right before a statement of this engine builds it.

    One that a failure leaves now is named, so that nobody takes it for a working one.
    """
    begun: set[str] = set()

    def make_room(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        found = _BUILDS.match(statement)
        if found is None:
            return
        name = _plain(found["name"])
        begun.add(name)
        if connection.exec_driver_sql(IS_LEFTOVER, (name,)).scalar_one():
            logger.warning("The index %s was left unfinished; it is built anew.", name)
            quoted = connection.dialect.identifier_preparer.quote_identifier(name)
            connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {quoted}")

    event.listen(engine, "before_cursor_execute", make_room)
    try:
        yield
    except BaseException:  # Ctrl-C leaves one as well
        _name_leftovers(engine, begun)
        raise
    finally:
        event.remove(engine, "before_cursor_execute", make_room)


def _name_leftovers(engine: Engine, names: set[str]) -> None:
    with contextlib.suppress(DBAPIError), engine.connect() as connection:
        for name in sorted(names):
            if connection.exec_driver_sql(IS_LEFTOVER, (name,)).scalar_one():
                logger.warning(
                    "The index %s is left unfinished; the next run builds it anew.", name
                )


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
