"""An empty place for revisions beside a PostgreSQL database: a namespace in one transaction.

The transaction is always rolled back, so nobody else ever sees the namespace, and what is made in
it locks nothing of the database's own.
"""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event

from qadb.errors import InsufficientPrivilege

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

LOCK_TIMEOUT_SQL = "SET LOCAL lock_timeout = '2s'"  # nothing should wait here

IS_STANDBY_SQL = "SELECT pg_is_in_recovery()"

# Whether the role may make a namespace; the names of database and role for whoever may grant it.
MAY_CREATE_SQL = """
SELECT has_database_privilege(current_database(), 'CREATE'),
       quote_ident(current_database()), quote_ident(current_user)
"""

_CONCURRENTLY = re.compile(
    r"(?P<before>\s*(?:CREATE\s+(?:UNIQUE\s+)?|DROP\s+)INDEX)\s+CONCURRENTLY\b", re.IGNORECASE
)


@contextmanager
def empty_place(engine: Engine) -> Iterator[Connection]:
    """Connect to the database with an empty namespace for all that is made.

    Raises:
        InsufficientPrivilege: the server is a standby, or the role may make no namespace.
    """
    name = f"qadb_scratch_{secrets.token_hex(6)}"
    with engine.connect() as connection, _without_concurrently(engine):
        transaction = connection.begin()
        try:
            _require_rights(connection)
            connection.exec_driver_sql(LOCK_TIMEOUT_SQL)
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
            connection.exec_driver_sql(f"SET LOCAL search_path TO {name}")
            yield connection
        finally:
            transaction.rollback()


def _require_rights(connection: Connection) -> None:
    if connection.exec_driver_sql(IS_STANDBY_SQL).scalar_one():
        raise InsufficientPrivilege(
            "A standby takes no writes, not even such as are taken back.",
            hint="Ask the primary.",
        )
    may_create, database, role = connection.exec_driver_sql(MAY_CREATE_SQL).one()
    if not may_create:
        raise InsufficientPrivilege(
            f"{role} may make no namespace in {database} to compare with.",
            hint=f"Use the owner's role, or: GRANT CREATE ON DATABASE {database} TO {role}",
        )


@contextmanager
def _without_concurrently(engine: Engine) -> Iterator[None]:
    """A transaction builds indexes as it builds all else; the index is the same."""

    def rewrite(
        _connection: Connection,
        _cursor: object,
        statement: str,
        parameters: object,
        _context: object,
        _executemany: bool,
    ) -> tuple[str, object]:
        return _CONCURRENTLY.sub(r"\g<before>", statement, count=1), parameters

    event.listen(engine, "before_cursor_execute", rewrite, retval=True)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", rewrite)
