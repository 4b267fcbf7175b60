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


def database_size(connection: Connection) -> int:
    """Bytes of the file by its own header (pages of the log not yet counted in)."""
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    page_size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    return int(pages) * int(page_size)


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
