"""Connections to PostgreSQL: opening, creating, recognising.

What a session needs is set inside its transaction, never as a start-up option: PgBouncer refuses
those, and a setting of the session would outlive it on a pooled connection.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

from qadb.backends.failures import translate_refused_values, translate_refused_writes
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.refusals import UnrecognisedRefusal
from qadb.errors import (
    ConfigurationError,
    DatabaseAbsent,
    DatabaseFailure,
    InsufficientPrivilege,
    QadbError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from qadb.backends.values import ConnectionOptions
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

OLDEST_SUPPORTED = 14
CONNECT_TIMEOUT_SECONDS = "10"
USES_HSTORE = False  # or SQLAlchemy asks each server for the type, which takes a round trip
READ_ONLY_TRANSACTION = "25006"
MAINTENANCE_DATABASES = ("postgres", "template1")
# Two at once: the slower one finds the name taken, or stumbles over the catalog's own unique index.
MADE_BY_ANOTHER = ("42P04", "23505")

# Relations of the namespace that ours would go to; those that belong to an extension left out.
TABLES_SQL = """
SELECT c.relname
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""

SESSION_SQL = "SELECT set_config('application_name', %s, true), set_config('TimeZone', 'UTC', true)"
READ_ONLY_SQL = ", set_config('transaction_read_only', 'on', true)"
NOTICE_LOST_CLIENT_SQL = ", set_config('client_connection_check_interval', '{}', true)"
LOST_CLIENT_INTERVAL = "10s"


def open_engine(
    url: DatabaseUrl, options: ConnectionOptions, *, read_only: bool, pooled: bool
) -> Engine:
    """Make an engine on an existing database; connections are tested before they are used.

    A transaction that only reads sees one moment of the database, as it does on SQLite.
    """

    def connect() -> psycopg2.extensions.connection:
        return _connect(url)

    if pooled:
        engine = create_engine(
            "postgresql+psycopg2://",
            creator=connect,
            use_native_hstore=USES_HSTORE,
            poolclass=QueuePool,
            pool_pre_ping=True,
            pool_size=options.pool_size,
            max_overflow=options.max_overflow,
            pool_timeout=options.pool_timeout_seconds,
            pool_recycle=options.pool_recycle_seconds,
        )
    else:
        engine = create_engine(
            "postgresql+psycopg2://",
            creator=connect,
            use_native_hstore=USES_HSTORE,
            poolclass=NullPool,
        )
    engine.echo = options.echo
    translate_refused_values(engine)
    if read_only:
        translate_refused_writes(engine, _is_refused_write)
    _prepare_sessions(engine, options.application, read_only=read_only)
    return engine


def _is_refused_write(error: BaseException) -> bool:
    return getattr(error, "pgcode", None) == READ_ONLY_TRANSACTION


def _prepare_sessions(engine: Engine, application: str, *, read_only: bool) -> None:
    """Set what each transaction needs as its first statements."""
    notices_lost_client = True
    notice_lost_client = NOTICE_LOST_CLIENT_SQL.format(LOST_CLIENT_INTERVAL)

    def check_server(driver_connection: psycopg2.extensions.connection, _record: object) -> None:
        nonlocal notices_lost_client
        major = driver_connection.server_version // 10000
        if major < OLDEST_SUPPORTED:
            driver_connection.close()
            raise DatabaseFailure(
                f"The server is PostgreSQL {major}; qadb needs {OLDEST_SUPPORTED} or newer.",
                hint="Upgrade the server.",
            )
        notices_lost_client = _can_notice_lost_client(driver_connection)
        if read_only:  # the driver says so with each BEGIN; as a setting it would come too late
            driver_connection.set_session(isolation_level="REPEATABLE READ")

    def begin(connection: Connection) -> None:
        statement = SESSION_SQL + (READ_ONLY_SQL if read_only else "")
        statement += notice_lost_client if notices_lost_client else ""
        connection.exec_driver_sql(statement, (application,))

    event.listen(engine, "connect", check_server)
    event.listen(engine, "begin", begin)


def _can_notice_lost_client(driver_connection: psycopg2.extensions.connection) -> bool:
    """Some systems can't tell a server that its client is gone, and refuse the setting."""
    try:
        with driver_connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL client_connection_check_interval = '{LOST_CLIENT_INTERVAL}'")
    except psycopg2.Error:
        return False
    finally:
        driver_connection.rollback()
    return True


def database_exists(url: DatabaseUrl) -> bool:
    """Tell whether the server has the database.

    Raises:
        DatabaseUnreachable: the server does not answer or refuses the user.
    """
    try:
        _connect(url).close()
    except psycopg2.Error as error:
        translated = translate(error, url)
        if isinstance(translated, DatabaseAbsent):
            return False
        if isinstance(translated, UnrecognisedRefusal) and _is_unlisted(url):
            return False
        raise translated from error
    return True


def _is_unlisted(url: DatabaseUrl) -> bool:
    """Ask where the server answers in no language that we know."""
    try:
        with maintenance_connection(url) as connection, connection.cursor() as cursor:
            name = database_name(url, connection)
            cursor.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", (name,))
            return cursor.rowcount == 0
    except (psycopg2.Error, QadbError):
        return False  # then the first refusal stands


def create_database(url: DatabaseUrl) -> bool:
    """Create the server-side database, in UTF-8, where the role may.

    Raises:
        InsufficientPrivilege: the role lacks CREATEDB.
        DatabaseUnreachable: no maintenance database lets us in.
    """
    if database_exists(url):
        return False
    try:
        with maintenance_connection(url) as connection, connection.cursor() as cursor:
            name = sql.Identifier(database_name(url, connection))
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
            cursor.execute(statement.format(name))
    except psycopg2.Error as error:
        if error.pgcode in MADE_BY_ANOTHER:
            return False
        raise translate(error, url) from error
    return True


def database_name(url: DatabaseUrl, connection: psycopg2.extensions.connection) -> str:
    """The name that libpq takes where the URL has none: PGDATABASE, else the user's."""
    return url.database or os.environ.get("PGDATABASE") or str(connection.info.user)


@contextlib.contextmanager
def maintenance_connection(url: DatabaseUrl) -> Iterator[psycopg2.extensions.connection]:
    """Connect to the server, but to another database than the URL's; each statement commits.

    Raises:
        DatabaseUnreachable: the server does not answer or refuses the user.
        InsufficientPrivilege: it lets the user into none.
    """
    with contextlib.closing(_connect_to_first(url)) as connection:
        connection.autocommit = True
        yield connection


@contextlib.contextmanager
def plain_connection(url: DatabaseUrl) -> Iterator[psycopg2.extensions.connection]:
    """Connect to the database itself, without SQLAlchemy; each statement commits."""
    with contextlib.closing(_connect(url)) as connection:
        connection.autocommit = True
        yield connection


def maintenance_url(url: DatabaseUrl) -> DatabaseUrl:
    """The database that `maintenance_connection` reaches; raises as that does."""
    with maintenance_connection(url) as connection:
        return url.with_database(connection.info.dbname)


def _connect_to_first(url: DatabaseUrl) -> psycopg2.extensions.connection:
    for name in MAINTENANCE_DATABASES:
        if name == url.database:
            continue  # whoever is in it can't rename it
        try:
            return _connect(url.with_database(name))
        except psycopg2.Error as error:
            refusal = translate(error, url.with_database(name))
            if not isinstance(refusal, (DatabaseAbsent, InsufficientPrivilege)):
                raise refusal from error
    raise InsufficientPrivilege(
        f"The server lets this user into none of {', '.join(MAINTENANCE_DATABASES)}, "
        "from where a database could be made.",
        hint=f"Ask an administrator to run: CREATE DATABASE {url.database or '…'}",
    )


def list_tables(connection: Connection) -> frozenset[str]:
    """Names of relations in the current namespace, those of extensions left out."""
    return frozenset(connection.exec_driver_sql(TABLES_SQL).scalars())


def is_marked_as_foreign(connection: Connection, schema: Schema) -> bool:
    """PostgreSQL has no mark of an application."""
    del connection, schema
    return False


def mark_as_own(connection: Connection, schema: Schema) -> None:
    """PostgreSQL needs no mark beside the version table."""
    del connection, schema


def server_version(connection: Connection) -> str:
    """The server's version without the packager's words, such as ``16.4``."""
    version: str = connection.exec_driver_sql(
        "SELECT split_part(current_setting('server_version'), ' ', 1)"
    ).scalar_one()
    return version


def user_name(connection: Connection) -> str:
    """The role that works on this connection."""
    name: str = connection.exec_driver_sql("SELECT current_user").scalar_one()
    return name


def tidy(url: DatabaseUrl) -> None:
    """A server keeps its own house."""
    del url


def _connect(url: DatabaseUrl) -> psycopg2.extensions.connection:
    """Connect; whatever fails is a psycopg2.Error or a QadbError."""
    try:
        return psycopg2.connect(None, None, None, **_libpq_options(url))
    except UnicodeDecodeError as error:
        # The server refused in its own language and in an encoding that nobody has agreed on yet.
        failure: Exception = psycopg2.OperationalError(error.object.decode("utf-8", "replace"))
    except ValueError:
        failure = ConfigurationError(
            "A part of DATABASE_URL holds characters that no server takes.",
            hint="Look for NUL characters and broken UTF-8 in user, password, host and name.",
        )
    raise failure  # out here, or the ValueError that holds the password would hang on to it


def _libpq_options(url: DatabaseUrl) -> dict[str, str]:
    """The URL's options; ours is the encoding, which COPY's stream is written in."""
    options = {**url.libpq_options(), "client_encoding": "UTF8"}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        options.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    return options
