"""A scratch database: where a role may make databases but no namespace in the one that it looks at.

Owns its making and its end. What a killed run leaves is dropped by the next one of the same role;
a name tells the server process that made it, so that nobody takes away what is in use.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from qadb.backends.postgresql.connector import open_engine
from qadb.backends.values import ConnectionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from qadb.settings import DatabaseUrl

logger = logging.getLogger(__name__)

PREFIX = "qadb_scratch_"

MAY_CREATE_SQL = (
    "SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
)

# This session's process, and how the database at hand keeps text.
MODEL_SQL = """
SELECT pg_backend_pid(), pg_encoding_to_char(encoding), quote_literal(datcollate),
       quote_literal(datctype)
FROM pg_catalog.pg_database WHERE datname = current_database()
"""

# Scratch databases of this role that nobody is in, and whose maker is gone.
LEFTOVERS_SQL = f"""
SELECT quote_ident(datname) FROM pg_catalog.pg_database AS d
WHERE datname ~ '^{PREFIX}[0-9]+_[0-9a-f]+$'
  AND datdba = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a
                  WHERE a.datname = d.datname OR a.pid::text = split_part(d.datname, '_', 3))
"""


def may_create(connection: Connection) -> bool:
    """Tell whether the role may make databases."""
    return bool(connection.exec_driver_sql(MAY_CREATE_SQL).scalar())


@contextmanager
def scratch_database(url: DatabaseUrl, engine: Engine) -> Iterator[Engine]:
    """Make a database beside that of a URL, for as long as the block lasts; yields its engine.

    The driver's exceptions come out where the server makes none.
    """
    with engine.connect() as plain:
        keeper = plain.execution_options(isolation_level="AUTOCOMMIT")
        _drop_leftovers(keeper)
        pid, encoding, collate, ctype = keeper.exec_driver_sql(MODEL_SQL).one()
        name = f"{PREFIX}{pid}_{secrets.token_hex(6)}"
        options = f"ENCODING '{encoding}' LC_COLLATE {collate} LC_CTYPE {ctype}"
        try:
            keeper.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
            with _engine_of(url.with_database(name)) as scratch:
                yield scratch
        finally:
            _drop(keeper, name)


@contextmanager
def _engine_of(url: DatabaseUrl) -> Iterator[Engine]:
    engine = open_engine(url, ConnectionOptions(), read_only=False, pooled=False)
    try:
        yield engine
    finally:
        engine.dispose()


def _drop(keeper: Connection, name: str) -> None:
    """Also where its making was interrupted; the failure on the way here must not be hidden."""
    try:
        keeper.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    except DBAPIError:
        logger.warning("The database %s could not be dropped; the next run tries again.", name)


def _drop_leftovers(keeper: Connection) -> None:
    for name in keeper.exec_driver_sql(LEFTOVERS_SQL).scalars().all():
        with suppress(DBAPIError):  # somebody came, or was faster
            keeper.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
