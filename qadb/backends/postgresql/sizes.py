"""How much room a PostgreSQL database and its tables take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

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


def database_size(connection: Connection) -> int:
    """Bytes of the whole database."""
    return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


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
