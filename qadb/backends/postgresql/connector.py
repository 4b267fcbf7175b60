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

from qadb.backends.postgresql.errors import DUPLICATE_DATABASE, translate
from qadb.errors import DatabaseAbsent, DatabaseFailure, QadbError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from qadb.backends.base import ConnectionOptions
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

OLDEST_SUPPORTED = 14
CONNECT_TIMEOUT_SECONDS = "10"
MAINTENANCE_DATABASES = ("postgres", "template1")

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
NOTICE_LOST_CLIENT_SQL = ", set_config('client_connection_check_interval', '10s', true)"


def open_engine(
    url: DatabaseUrl, options: ConnectionOptions, *, read_only: bool, pooled: bool
) -> Engine:
    """Make an engine on an existing database; connections are tested before they are used."""
    arguments = _libpq_options(url)

    def connect() -> psycopg2.extensions.connection:
        return psycopg2.connect(**arguments)

    if pooled:
        engine = create_engine(
            "postgresql+psycopg2://",
            creator=connect,
            poolclass=QueuePool,
            pool_pre_ping=True,
            pool_size=options.pool_size,
            max_overflow=options.max_overflow,
            pool_timeout=options.pool_timeout_seconds,
            pool_recycle=options.pool_recycle_seconds,
        )
    else:
        engine = create_engine("postgresql+psycopg2://", creator=connect, poolclass=NullPool)
    engine.echo = options.echo
    _prepare_sessions(engine, options.application, read_only=read_only)
    return engine


def _prepare_sessions(engine: Engine, application: str, *, read_only: bool) -> None:
    """Set what each transaction needs as its first statements."""
    notices_lost_client = True

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

    def begin(connection: Connection) -> None:
        if read_only:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        extra = NOTICE_LOST_CLIENT_SQL if notices_lost_client else ""
        connection.exec_driver_sql(SESSION_SQL + extra, (application,))

    event.listen(engine, "connect", check_server)
    event.listen(engine, "begin", begin)


def _can_notice_lost_client(driver_connection: psycopg2.extensions.connection) -> bool:
    """Some systems can't tell a server that its client is gone, and refuse the setting."""
    try:
        with driver_connection.cursor() as cursor:
            cursor.execute("SET LOCAL client_connection_check_interval = '10s'")
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
        psycopg2.connect(**_libpq_options(url)).close()
    except psycopg2.Error as error:
        translated = translate(error, url)
        if isinstance(translated, DatabaseAbsent):
            return False
        raise translated from error
    return True


def create_database(url: DatabaseUrl) -> bool:
    """Create the server-side database, in UTF-8, where the role may.

    Raises:
        InsufficientPrivilege: the role lacks CREATEDB.
        DatabaseUnreachable: no maintenance database lets us in.
    """
    if database_exists(url):
        return False
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
        sql.Identifier(url.database or "")
    )
    try:
        with _maintenance_connection(url) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
    except psycopg2.Error as error:
        if error.pgcode == DUPLICATE_DATABASE:  # somebody was faster
            return False
        raise translate(error, url) from error
    return True


@contextlib.contextmanager
def _maintenance_connection(url: DatabaseUrl) -> Iterator[psycopg2.extensions.connection]:
    connection = _connect_to_first(url)
    try:
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


def _connect_to_first(url: DatabaseUrl) -> psycopg2.extensions.connection:
    last: QadbError | None = None
    for name in MAINTENANCE_DATABASES:
        try:
            return psycopg2.connect(**_libpq_options(url.with_database(name)))
        except psycopg2.Error as error:
            last = translate(error, url)
    raise last or QadbError("There is no maintenance database.")


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


def _libpq_options(url: DatabaseUrl) -> dict[str, str]:
    options = dict(url.libpq_options())
    if "PGCONNECT_TIMEOUT" not in os.environ:
        options.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    return options
