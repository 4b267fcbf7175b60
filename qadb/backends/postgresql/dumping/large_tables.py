"""Which tables several sessions copy at once in a backup, each its own ranges of the table's pages.

A range of pages is read as such by PostgreSQL 14 and newer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

FIRST_WITH_RANGES = (14,)
LARGE_BYTES = 16 << 20
RANGE_BYTES = 4 << 20  # of the table, about: others wait while a larger one is taken
MOST_TABLES = 200  # pg_dump is told each by its name

# Somebody keeps it, or has dropped it; a right is missing, or room for another lock.
NOT_TO_BE_KEPT = ("55P03", "42P01", "42501", "53200")

# Those that may be large, as the size itself can't be asked of one that somebody keeps. Left to
# pg_dump: what an extension or a foreign storage has, what a standby can't read, a hash's
# partitions, which may want to be others elsewhere, what not even the owner may insert into, and
# names beyond ASCII: pg_dump takes its arguments in the database's encoding.
CANDIDATES_SQL = """
SELECT c.oid, n.nspname, c.relname
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am AS a ON a.oid = c.relam
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
WHERE c.relkind = 'r' AND a.amname = 'heap'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (c.reltuples < 0
    OR (c.relpages + coalesce(t.relpages, 0)) * current_setting('block_size')::bigint > {least})
  AND c.relpersistence <> 't' AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())
  AND has_table_privilege(c.oid, 'SELECT')
  AND (c.relacl IS NULL OR EXISTS (
    SELECT FROM aclexplode(c.relacl) AS r
    WHERE r.grantee = c.relowner AND r.privilege_type = 'INSERT'))
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS i
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = i.relid WHERE p.partstrat = 'h')
ORDER BY c.oid
"""
# Types whose binary form is the same on every server, and nobody's to change.
PLAIN_TYPES = (
    *("bool", "int2", "int4", "int8", "float4", "float8", "numeric", "uuid"),
    *("text", "varchar", "bpchar", "bytea", "json", "jsonb"),
    *("date", "time", "timetz", "timestamp", "timestamptz", "interval"),
)
# Once they are kept. A column that is generated is not copied. Text in binary is not converted, so
# it has to be in the encoding that every session speaks.
SIZES_SQL = """
WITH sized AS MATERIALIZED (
  SELECT oid, pg_table_size(oid) AS bytes FROM unnest('{{{oids}}}'::oid[]) AS oid)
SELECT n.nspname, c.relname, s.bytes,
  pg_relation_size(c.oid) / current_setting('block_size')::bigint AS pages,
  pg_catalog.getdatabaseencoding() = 'UTF8' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND a.atttypid NOT IN (
        SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_catalog.pg_type AS t
        WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typname = ANY ('{{{plain}}}'))
  ) AS is_plain,
  ARRAY(
    SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY a.attnum) AS columns
FROM sized AS s JOIN pg_catalog.pg_class AS c USING (oid)
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE s.bytes >= {least} ORDER BY s.bytes DESC LIMIT {most}
"""


@dataclass(frozen=True, slots=True)
class LargeTable:
    """A table that is copied in ranges.

    Attributes:
        columns: those that are copied; none where it has none.
        is_plain: its rows are copied in their binary form.
        pages: how many it had; it may have grown since.
        pages_at_once: of a range.
    """

    namespace: str
    name: str
    columns: tuple[str, ...]
    is_plain: bool
    pages: int
    pages_at_once: int

    @property
    def quoted(self) -> str:
        """Its name in a statement; to pg_dump, a pattern that fits nothing else."""
        return f"{quote(self.namespace)}.{quote(self.name)}"

    def copy_in(self, encoding: str) -> str:
        """The statement that takes a range of its rows."""
        names = ", ".join(quote(each) for each in self.columns)
        return f"COPY {self.quoted} ({names}) FROM STDIN {self._options(encoding)}"

    def copies_out(self, encoding: str) -> Iterator[str]:
        """The statements that give all its rows, in the order of its pages."""
        names = ", ".join(quote(each) for each in self.columns)
        starts = range(0, max(self.pages, 1), self.pages_at_once)
        for start in starts:
            where = f"ctid >= '({start},0)'"
            if start != starts[-1]:
                where += f" AND ctid < '({start + self.pages_at_once},0)'"
            yield (
                f"COPY (SELECT {names} FROM ONLY {self.quoted} WHERE {where}) TO STDOUT "
                f"{self._options(encoding)}"
            )

    def _options(self, encoding: str) -> str:
        return "(FORMAT binary)" if self.is_plain else f"(ENCODING '{encoding}')"


def find_large_tables(connection: Connection) -> tuple[LargeTable, ...]:
    """Keep every large table as it is until the transaction ends; the largest first.

    None where one can't be kept: pg_dump waits for it, or tells what is wrong.
    """
    if (connection.dialect.server_version_info or ()) < FIRST_WITH_RANGES:
        return ()
    candidates = connection.exec_driver_sql(CANDIDATES_SQL.format(least=LARGE_BYTES // 2)).all()
    found = [each for each in candidates if f"{each.nspname}{each.relname}".isascii()]
    if not found:
        return ()
    try:
        with connection.begin_nested():
            names = (f"{quote(namespace)}.{quote(name)}" for _, namespace, name in found)
            connection.exec_driver_sql(f"{lock_statement(names)} NOWAIT".replace("%", "%%"))
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) in NOT_TO_BE_KEPT:
            return ()
        raise
    oids = ",".join(str(oid) for oid, *_ in found)
    sizes = SIZES_SQL.format(
        oids=oids, least=LARGE_BYTES, most=MOST_TABLES, plain=",".join(PLAIN_TYPES)
    )
    rows = connection.exec_driver_sql(sizes).all()
    return tuple(
        LargeTable(
            row.nspname,
            row.relname,
            tuple(row.columns),
            row.is_plain,
            row.pages,
            max(RANGE_BYTES * row.pages // row.bytes, 1),
        )
        for row in rows
        if row.columns and "".join(row.columns).isascii()
    )


def lock_statement(names: Iterable[str]) -> str:
    """Keep tables as they are: others read and write them, nobody alters them."""
    return f"LOCK TABLE {', '.join(f'ONLY {name}' for name in names)} IN ACCESS SHARE MODE"


def quote(name: str) -> str:
    """A name as an identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'
