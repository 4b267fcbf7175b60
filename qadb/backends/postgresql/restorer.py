"""Restores into PostgreSQL: the protocol's functions, gathered from the modules that do the work.

Owns the checks of a rebuilt database and what killed restores leave behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from qadb.backends.postgresql import locks
from qadb.backends.postgresql.connector import (
    database_name,
    maintenance_connection,
    maintenance_url,
    plain_connection,
)
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.names import is_rebuilt_name
from qadb.backends.postgresql.restoring.claiming import IN_USE, claim
from qadb.backends.postgresql.restoring.rebuilding import WORK_PREFIX, rebuild, rebuilding_key
from qadb.backends.postgresql.restoring.requirements import check_requirements
from qadb.errors import BackupDamaged, LockNotAvailable
from qadb.owned_folders import remove_abandoned_temporary

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

__all__ = [
    "check",
    "check_requirements",
    "claim",
    "keeps_previous",
    "place_in",
    "rebuild",
    "remove_leftovers",
]

keeps_previous = True

# What pg_restore would have failed at; an index on partitions may wait for one of them rightly.
FLAWS_SQL = """
SELECT 'index ' || indexrelid::regclass FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
WHERE c.relkind = 'i' AND NOT (i.indisvalid AND i.indisready AND i.indislive)
ORDER BY 1
"""
# Databases that nobody else is in: dropping one that is in use would wait for seconds.
UNUSED_SQL = """
SELECT datname FROM pg_catalog.pg_database AS d
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_stat_activity AS a
  WHERE a.datid = d.oid AND a.application_name NOT LIKE 'qadb%')
ORDER BY datname
"""
END_ORPHANS_SQL = """
SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE datname = %s AND application_name LIKE 'qadb%%'
"""
NOT_ALLOWED = "42501"  # another role's


def place_in(folder: Path) -> None:
    """It takes a server to rebuild a backup."""
    del folder


def check(rebuilt: DatabaseUrl) -> None:
    """Check that every index is in use; keys and constraints were checked as they were made.

    Raises:
        BackupDamaged: one is not.
    """
    try:
        with plain_connection(rebuilt) as connection, connection.cursor() as cursor:
            cursor.execute(FLAWS_SQL)
            flaws = [flaw for (flaw,) in cursor.fetchall()]
    except psycopg2.Error as error:
        raise translate(error, rebuilt) from error
    if flaws:
        raise BackupDamaged(
            f"The rebuilt database is not whole: {', '.join(flaws)} can't be used.",
            hint="Take another backup.",
        )


def remove_leftovers(url: DatabaseUrl, options: ConnectionOptions) -> tuple[str, ...]:
    """Drop the databases that killed processes have left, unless somebody else is in them.

    A pg_restore whose qadb was killed goes on by itself; its sessions are ended.

    Returns:
        What was dropped.
    """
    try:
        with maintenance_connection(url) as connection, connection.cursor() as cursor:
            name = database_name(url, connection)
            cursor.execute(UNUSED_SQL)
            found = [each for (each,) in cursor.fetchall() if is_rebuilt_name(each, name)]
            place = maintenance_url(url)
            remove_abandoned_temporary(WORK_PREFIX)
            return tuple(each for each in found if _drop_unused(cursor, place, options, each))
    except psycopg2.Error as error:
        raise translate(error, url) from error


def _drop_unused(
    cursor: psycopg2.extensions.cursor, place: DatabaseUrl, options: ConnectionOptions, name: str
) -> bool:
    """Drop a database that no process of ours holds; True when it is gone."""
    try:
        with locks.hold(place, options, lambda _: rebuilding_key(name), 0, lambda _: None):
            cursor.execute(END_ORPHANS_SQL, (name,))
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
    except LockNotAvailable:
        return False
    except psycopg2.Error as error:
        if error.pgcode in (IN_USE, NOT_ALLOWED):
            return False
        raise
    return True
