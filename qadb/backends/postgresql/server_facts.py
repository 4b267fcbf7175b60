"""What a PostgreSQL server tells of itself, for `qadb.health`: all of it, by its themes.

Here are its settings, its cache and its files; the rest has modules of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from qadb.backends.base_server_health import CacheUse, ChecksumFailures
from qadb.backends.postgresql import activity_facts, replication_facts, upkeep_facts
from qadb.backends.postgresql.activity_facts import connection_use, lock_waits, sessions
from qadb.backends.postgresql.replication_facts import replication, slots
from qadb.backends.postgresql.upkeep_facts import (
    multixact_age,
    sequences,
    transaction_age,
    unlogged_tables,
    upkeep,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

__all__ = [
    "STATEMENTS",
    "cache_use",
    "checksum_failures",
    "connection_use",
    "data_folders",
    "lock_waits",
    "multixact_age",
    "replication",
    "sequences",
    "sessions",
    "settings",
    "slots",
    "transaction_age",
    "unlogged_tables",
    "upkeep",
]

SETTINGS_SQL: Final = """
SELECT name, setting
FROM pg_catalog.pg_settings
WHERE name IN ('autovacuum', 'track_counts', 'fsync', 'full_page_writes')
"""

# Temporary tables are not counted here, and of everything else since the last reset.
CACHE_SQL: Final = """
SELECT blks_hit AS hits, blks_read AS reads,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'shared_buffers')::bigint
         AS cache_pages,
       extract(epoch FROM clock_timestamp() - coalesce(stats_reset, pg_postmaster_start_time()))
         ::float AS counted_seconds
FROM pg_catalog.pg_stat_database WHERE datname = current_database()
"""

# The row without a name is what all databases share.
CHECKSUMS_SQL: Final = """
SELECT coalesce(datname, 'all databases') AS name, coalesce(checksum_failures, 0) AS failures,
       current_setting('data_checksums') = 'on' AS are_on
FROM pg_catalog.pg_stat_database
"""

# Through a socket, or from an address of its own: then its files are on this machine.
IS_HERE_SQL: Final = """
SELECT inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr()
"""
FOLDERS_SQL: Final = """
SELECT current_setting('data_directory')
UNION ALL
SELECT folder
FROM pg_catalog.pg_tablespace AS t CROSS JOIN LATERAL pg_tablespace_location(t.oid) AS folder
WHERE folder <> ''
"""

STATEMENTS: Mapping[str, str] = {
    **activity_facts.STATEMENTS,
    **upkeep_facts.STATEMENTS,
    **replication_facts.STATEMENTS,
    "settings": SETTINGS_SQL,
    "cache_use": CACHE_SQL,
    "checksum_failures": CHECKSUMS_SQL,
    "server_is_here": IS_HERE_SQL,
    "data_folders": FOLDERS_SQL,
}


def settings(connection: Connection) -> Mapping[str, str]:
    """The settings that health asks about."""
    return {row.name: row.setting for row in connection.exec_driver_sql(SETTINGS_SQL)}


def cache_use(connection: Connection) -> CacheUse:
    """How often the database's pages were found in the cache."""
    row = connection.exec_driver_sql(CACHE_SQL).one()
    return CacheUse(int(row.hits), int(row.reads), int(row.cache_pages), row.counted_seconds)


def checksum_failures(connection: Connection) -> ChecksumFailures:
    """Pages whose checksum was wrong, by database."""
    rows = connection.exec_driver_sql(CHECKSUMS_SQL).all()
    by_database = {row.name: int(row.failures) for row in rows if row.failures}
    return ChecksumFailures(any(row.are_on for row in rows), by_database)


def data_folders(connection: Connection) -> tuple[str, ...] | None:
    """Where the data is, on this machine; None where the server is on another one."""
    if not connection.exec_driver_sql(IS_HERE_SQL).scalar_one():
        return None
    folders = tuple(connection.exec_driver_sql(FOLDERS_SQL).scalars())
    return folders if all(_is_seen(each) for each in folders) else None


def _is_seen(folder: str) -> bool:
    try:
        return Path(folder).is_dir()
    except OSError:  # a folder above it is closed to this user
        return False
