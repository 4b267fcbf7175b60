"""Makes the PostgreSQL database that rows of another engine go to, beside the one that it replaces.

Where that one is there, the new one has its locale, its owner, its rights and its settings.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from qadb.backends.postgresql.connector import (
    database_exists,
    database_name,
    maintenance_connection,
    open_engine,
    plain_connection,
)
from qadb.backends.postgresql.dumping.dump_facts import read_facts
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.restoring.database_facts import apply_facts
from qadb.backends.postgresql.restoring.rebuilding import (
    create_like,
    new_database_beside,
)
from qadb.backends.postgresql.restoring.requirements import check_role
from qadb.backends.postgresql.restoring.restore_details import RestoreDetails, read_details

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

CREATE_SQL = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'"
NAMESPACE_SQL = "SELECT current_schema()"


@dataclass(frozen=True, slots=True)
class _Former:
    """The database that is replaced: what it is like, and the namespace that its tables lie in."""

    details: RestoreDetails
    namespace: str | None


def check_place(url: DatabaseUrl) -> None:
    """Raise unless the role may make a database and put it in this one's place."""
    try:
        with maintenance_connection(url) as connection, connection.cursor() as cursor:
            check_role(cursor, database_name(url, connection))
    except psycopg2.Error as error:
        raise translate(error, url) from error


@contextmanager
def new_database(url: DatabaseUrl, options: ConnectionOptions) -> Iterator[DatabaseUrl]:
    """Make an empty database beside the one named; it is dropped at the end unless renamed.

    Its settings come last, with `settle`: one of them may be a limit that the work would break.
    """
    former = _read_former(url, options)

    def create(name: str) -> None:
        if former is None:
            _create(url, name)
        else:
            create_like(url, name, former.details)
            _prepare_namespace(url, name, former.namespace)

    with new_database_beside(url, options, create) as made:
        yield made


def settle(url: DatabaseUrl, made: DatabaseUrl, options: ConnectionOptions) -> None:
    """Let the planner learn of the rows, and give the database the settings of the former one."""
    former = _read_former(url, options)
    try:
        with plain_connection(made) as connection, connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        if former is None:
            return
        with maintenance_connection(url) as connection, connection.cursor() as cursor:
            connection.autocommit = False
            name = sql.Identifier(str(made.database))
            cursor.execute(sql.SQL("ALTER DATABASE {} RESET search_path").format(name))
            apply_facts(connection, str(made.database), former.details)
            connection.commit()
    except psycopg2.Error as error:
        raise translate(error, made) from error


def _read_former(url: DatabaseUrl, options: ConnectionOptions) -> _Former | None:
    if not database_exists(url):
        return None
    with _engine_of(url, options) as engine, engine.connect() as connection:
        facts = read_facts(connection)
        namespace = connection.exec_driver_sql(NAMESPACE_SQL).scalar_one()
    # No archive is read, so any version that can be read as pg_dump's will do.
    details = read_details({**facts, "pg_dump": facts["server_version"]})
    return _Former(details, namespace)


@contextmanager
def _engine_of(url: DatabaseUrl, options: ConnectionOptions) -> Iterator[Engine]:
    engine = open_engine(url, options, read_only=True, pooled=False)
    try:
        yield engine
    finally:
        engine.dispose()


def _create(url: DatabaseUrl, name: str) -> None:
    try:
        with maintenance_connection(url) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL(CREATE_SQL).format(sql.Identifier(name)))
    except psycopg2.Error as error:
        raise translate(error, url) from error


def _prepare_namespace(url: DatabaseUrl, name: str, namespace: str | None) -> None:
    """Let the tables go where the former database has them: a setting or the role may say so."""
    if namespace is None:
        return
    try:
        made = url.with_database(name)
        with plain_connection(made) as connection, connection.cursor() as cursor:
            wanted = sql.Identifier(namespace)
            cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(wanted))
            alter = sql.SQL("ALTER DATABASE {} SET search_path TO {}")
            cursor.execute(alter.format(sql.Identifier(name), wanted))
    except psycopg2.Error as error:
        raise translate(error, url) from error
