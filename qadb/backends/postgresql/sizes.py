"""How much room a PostgreSQL database and its tables take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from qadb.backends.postgresql.refusals import confined
from qadb.backends.values import TableSize
from qadb.errors import DatabaseFailure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

# Counting is cheap up to here; beyond it the planner's estimate serves unless asked otherwise.
EXACT_BELOW_BYTES = 64 * 1024 * 1024

# estimate: -1 before the first ANALYZE; bytes include indexes and TOAST.
SIZES_SQL = text("""
SELECT c.relname, c.reltuples::bigint AS estimate, pg_total_relation_size(c.oid) AS size_bytes,
       pg_table_size(c.oid) AS heap_bytes
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname = ANY (:tables)
""")

# Every table that is no partition and no extension's own; rows of an unlogged one are nothing to
# a standby. in_place: its name needs no namespace.
TABLES_SQL = """
SELECT n.nspname AS namespace, c.relname AS name, n.nspname = current_schema() AS in_place,
       c.relkind = 'p' AS is_partitioned,
       c.relpersistence = 'u' AND pg_is_in_recovery() AS is_unreadable
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""
ALL_ROWS_SQL = "SET LOCAL row_security = off"


def database_size(connection: Connection) -> int:
    """Bytes of the whole database."""
    return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def count_rows(connection: Connection) -> dict[str, int]:
    """Count every table of the database, by name: with its namespace where it is not the first.

    Row security that would hide rows is an error, here and in what follows in the transaction.
    """
    try:
        return _count_all(connection)
    except DBAPIError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        if "row-level security" in reason:
            driver = connection.connection.driver_connection
            user: str | None = driver.info.user if driver else None
            raise confined(reason, user) from error
        raise


def _count_all(connection: Connection) -> dict[str, int]:
    connection.exec_driver_sql(ALL_ROWS_SQL)
    quote = connection.dialect.identifier_preparer.quote_identifier
    counts = {}
    for row in connection.exec_driver_sql(TABLES_SQL).all():
        shown = row.name if row.in_place else f"{row.namespace}.{row.name}"
        only = "" if row.is_partitioned else "ONLY "
        query = f"SELECT count(*) FROM {only}{quote(row.namespace)}.{quote(row.name)}"
        is_empty = row.is_unreadable
        counts[shown] = 0 if is_empty else int(connection.exec_driver_sql(query).scalar_one())
    return counts


def table_sizes(
    connection: Connection, tables: Sequence[str], *, exact: bool
) -> tuple[TableSize, ...]:
    """Rows and bytes of each table; large tables are estimated unless ``exact``."""
    found = {
        row.relname: row for row in connection.execute(SIZES_SQL, {"tables": list(tables)}).all()
    }
    sizes = []
    for name in tables:
        row = found.get(name)
        if row is None:
            raise DatabaseFailure(f"There is no table '{name}' to measure.")
        counts = exact or row.estimate < 0 or row.heap_bytes < EXACT_BELOW_BYTES
        rows = _count(connection, name) if counts else int(row.estimate)
        sizes.append(TableSize(name, rows, counts, int(row.size_bytes)))
    return tuple(sizes)


def _count(connection: Connection, table: str) -> int:
    quoted = connection.dialect.identifier_preparer.quote(table)
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {quoted}").scalar_one())
