"""An empty place for revisions beside a PostgreSQL database: a namespace in one transaction.

The transaction is always rolled back, so nobody else ever sees the namespace, and what is made in
it locks nothing of the database's own. Where the role may make no namespace in the database it is
one of a scratch database.
"""

from __future__ import annotations

import re
import secrets
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from qadb.backends.postgresql.scratch_database import may_create, scratch_database
from qadb.backends.sql_text import mask, one_line
from qadb.backends.values import ORIGINAL_STATEMENT
from qadb.errors import ConfigurationError, NotComparable, QadbError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from qadb.settings import DatabaseUrl

LOCK_TIMEOUT_SQL = "SET LOCAL lock_timeout = '2s'"  # nothing should wait here

IS_STANDBY_SQL = "SELECT pg_is_in_recovery()"

# Whether the role may make a namespace; the names of database and role for whoever may grant it.
MAY_CREATE_SQL = """
SELECT has_database_privilege(current_database(), 'CREATE'),
       quote_ident(current_database()), quote_ident(current_user)
"""

# Every namespace where somebody's tables may be.
NAMESPACES_SQL = """
SELECT nspname FROM pg_catalog.pg_namespace
WHERE nspname NOT LIKE 'pg\\_%%' AND nspname <> 'information_schema'
"""

_LEAVES = re.compile(r"SET\s+(?:LOCAL\s+|SESSION\s+)?(?:search_path|SCHEMA)\b", re.IGNORECASE)
_CONCURRENTLY = re.compile(
    r"(?P<before>\s*(?:CREATE\s+(?:UNIQUE\s+)?|DROP\s+)INDEX)\s+CONCURRENTLY\b", re.IGNORECASE
)


@contextmanager
def empty_place(url: DatabaseUrl, engine: Engine) -> Iterator[Connection]:
    """Connect to the database with an empty namespace for all that is made.

    Raises:
        NotComparable: the server is a standby, the role may make neither a namespace nor a
            database, or a statement reaches into another namespace.
    """
    with ExitStack() as stack:
        refusal = _why_no_namespace(engine)
        if refusal is not None:
            engine = _open_scratch_database(stack, url, engine, refusal)
        yield stack.enter_context(_namespace(engine))


def _why_no_namespace(engine: Engine) -> NotComparable | None:
    """Return what to say where the role may make none but may make databases."""
    with engine.connect() as connection:
        if connection.exec_driver_sql(IS_STANDBY_SQL).scalar_one():
            raise NotComparable(
                "A standby takes no writes, not even such as are taken back.",
                hint="Ask the primary.",
            )
        is_allowed, database, role = connection.exec_driver_sql(MAY_CREATE_SQL).one()
        if is_allowed:
            return None
        refusal = NotComparable(
            f"{role} may make no namespace in {database} to compare with.",
            hint=f"Use the owner's role, or: GRANT CREATE ON DATABASE {database} TO {role}",
        )
        if not may_create(connection):
            raise refusal
        return refusal


def _open_scratch_database(
    stack: ExitStack, url: DatabaseUrl, engine: Engine, refusal: NotComparable
) -> Engine:
    """A pooler may know no other database, or the server's rules keep the role out of it."""
    try:
        scratch = stack.enter_context(scratch_database(url, engine))
        scratch.connect().close()
    except (DBAPIError, QadbError) as error:
        raise refusal from error
    return scratch


@contextmanager
def _namespace(engine: Engine) -> Iterator[Connection]:
    name = f"qadb_scratch_{secrets.token_hex(6)}"
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            others = connection.exec_driver_sql(NAMESPACES_SQL).scalars().all()
            connection.exec_driver_sql(LOCK_TIMEOUT_SQL)
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
            connection.exec_driver_sql(f"SET LOCAL search_path TO {name}")
            _keep_inside(connection, others)
            yield connection
        finally:
            transaction.rollback()


def _keep_inside(connection: Connection, namespaces: Iterable[str]) -> None:
    """Refuse what would touch the database's own objects; let indexes be built in a transaction.

    The statement as it was stands in the connection's ``info`` afterwards.
    """
    named = "|".join(re.escape(each) for each in namespaces)
    reaches_out = re.compile(rf"""(?<![\w."])(?:{named}|"(?:{named})")\s*\.""", re.IGNORECASE)

    def rewrite(
        connection: Connection,
        _cursor: object,
        statement: str,
        parameters: object,
        _context: object,
        _executemany: bool,
    ) -> tuple[str, object]:
        text = mask(statement)
        if reaches_out.search(text) or _LEAVES.match(text):
            raise NotComparable(
                f"A revision reaches out of the namespace that it runs in: {one_line(statement)}",
                hint="Let revisions name tables without their namespace.",
            )
        connection.info[ORIGINAL_STATEMENT] = statement
        return _CONCURRENTLY.sub(r"\g<before>", statement, count=1), parameters

    event.listen(connection, "before_cursor_execute", rewrite, retval=True)


def copied_place(engine: Engine, folder: Path) -> AbstractContextManager[DatabaseUrl]:
    """Refuse: no copy of a server's data is made in passing.

    Raises:
        ConfigurationError: always.
    """
    del engine, folder
    raise ConfigurationError(
        "A rehearsal copies the data, which a server does not do in passing.",
        hint="Restore a backup into another database, and migrate that one.",
    )
