"""How much room a SQLite file and its tables take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from qadb.backends.values import TableSize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

# tbl_name joins each index to its table; dbstat sums the pages of one b-tree a row.
PAGES_SQL = """
SELECT m.tbl_name, sum(s.pgsize)
FROM dbstat('main', 1) AS s JOIN sqlite_master AS m ON m.name = s.name
GROUP BY m.tbl_name
"""

# A virtual table keeps its own in tables whose names begin with its name: no rows of anybody's.
TABLES_SQL = """
SELECT t.name FROM sqlite_master AS t
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  AND NOT EXISTS (
    SELECT 1 FROM sqlite_master AS v WHERE v.sql LIKE 'CREATE VIRTUAL %'
      AND (t.name = v.name OR substr(t.name, 1, length(v.name) + 1) = v.name || '_'))
ORDER BY t.name
"""


def database_size(connection: Connection) -> int:
    """Bytes of the file by its own header (pages of the log not yet counted in)."""
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    page_size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    return int(pages) * int(page_size)


def count_rows(connection: Connection) -> dict[str, int]:
    """Count every table, by name; a full-text index is none."""
    names = connection.exec_driver_sql(TABLES_SQL).scalars().all()
    return {name: _count(connection, name) for name in names}


def table_sizes(
    connection: Connection, tables: Sequence[str], *, exact: bool
) -> tuple[TableSize, ...]:
    """Count rows of each table; bytes are None where this SQLite has no ``dbstat``."""
    del exact  # counting is an index scan here: always exact
    sizes = _bytes_by_table(connection)
    return tuple(
        TableSize(
            name=name,
            rows=_count(connection, name),
            rows_are_exact=True,
            size_bytes=None if sizes is None else sizes.get(name, 0),
        )
        for name in tables
    )


def _bytes_by_table(connection: Connection) -> dict[str, int] | None:
    try:
        return {name: int(size) for name, size in connection.exec_driver_sql(PAGES_SQL)}
    except DBAPIError:
        return None


def _count(connection: Connection, table: str) -> int:
    quoted = connection.dialect.identifier_preparer.quote(table)
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {quoted}").scalar_one())
