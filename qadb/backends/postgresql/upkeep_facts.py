"""What vacuuming has to do on a PostgreSQL server, and how far the numbers of ids have run.

All of it stands in the catalog and in the statistics: no table is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qadb.backends.base_health import FoundObject
from qadb.backends.base_server_health import (
    Hidden,
    Sequences,
    SequenceUse,
    TableUpkeep,
    TransactionAge,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

# The limit is 2^31, of which the server keeps three million for itself.
TRANSACTION_AGE_SQL: Final = """
SELECT datname, age(datfrozenxid) AS age,
       current_setting('autovacuum_freeze_max_age')::bigint AS freeze_max_age,
       2147483648 - 3000000 AS wraps_at
FROM pg_catalog.pg_database
WHERE datallowconn
ORDER BY age(datfrozenxid) DESC LIMIT 1
"""
MULTIXACT_AGE_SQL: Final = """
SELECT datname, mxid_age(datminmxid) AS age,
       current_setting('autovacuum_multixact_freeze_max_age')::bigint AS freeze_max_age,
       2147483648 - 3000000 AS wraps_at
FROM pg_catalog.pg_database
WHERE datallowconn
ORDER BY mxid_age(datminmxid) DESC LIMIT 1
"""

# One row a table, its own settings before the server's. reltuples is -1 until it is analyzed.
UPKEEP_SQL: Final = """
WITH own AS (
  SELECT c.oid, o.option_name, o.option_value
  FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL pg_options_to_table(c.reloptions) AS o
  WHERE starts_with(o.option_name, 'autovacuum')
)
SELECT s.relid::regclass::text AS name, pg_relation_size(s.relid) AS size_bytes,
       s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows, nullif(c.reltuples, -1) AS known_rows,
       coalesce((SELECT option_value FROM own
                 WHERE oid = s.relid AND option_name = 'autovacuum_vacuum_threshold'),
                current_setting('autovacuum_vacuum_threshold'))::float
       + coalesce((SELECT option_value FROM own
                   WHERE oid = s.relid AND option_name = 'autovacuum_vacuum_scale_factor'),
                  current_setting('autovacuum_vacuum_scale_factor'))::float
         * greatest(c.reltuples, 0) AS vacuum_from,
       coalesce((SELECT option_value::boolean FROM own
                 WHERE oid = s.relid AND option_name = 'autovacuum_enabled'), true)
         AS is_automatic,
       extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::float
         AS last_vacuum_seconds
FROM pg_catalog.pg_stat_user_tables AS s JOIN pg_catalog.pg_class AS c ON c.oid = s.relid
WHERE c.relpersistence <> 't' AND c.relkind <> 'p'
ORDER BY 2 DESC, 1
"""

UNLOGGED_SQL: Final = """
SELECT 'table ' || c.oid::regclass AS name,
       'unlogged: a crash empties it, and replicas have none of it' AS detail,
       'ALTER TABLE ' || c.oid::regclass || ' SET LOGGED' AS remedy
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'u'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1
"""

# One row a sequence that does not begin anew. How far it may go is what its column has room for.
SEQUENCES_SQL: Final = """
WITH found AS (
  SELECT s.seqrelid, s.seqincrement, n.nspname,
         d.refobjid::regclass || '.' || quote_ident(a.attname) AS column_name,
         CASE WHEN a.atttypid IN ('int2'::regtype, 'int4'::regtype)
              THEN 'ALTER TABLE ' || d.refobjid::regclass || ' ALTER COLUMN '
                   || quote_ident(a.attname) || ' TYPE bigint; ALTER SEQUENCE '
                   || s.seqrelid::regclass || ' AS bigint' END AS remedy,
         greatest(s.seqmin, CASE a.atttypid WHEN 'int2'::regtype THEN -32768
                                            WHEN 'int4'::regtype THEN -2147483648
                                            ELSE s.seqmin END)::numeric AS lowest,
         least(s.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767
                                         WHEN 'int4'::regtype THEN 2147483647
                                         ELSE s.seqmax END)::numeric AS highest,
         has_sequence_privilege(s.seqrelid, 'SELECT,USAGE') AS is_readable
  FROM pg_catalog.pg_sequence AS s JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.seqrelid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
   AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE NOT s.seqcycle AND c.relpersistence = 'p'
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), read AS (
  SELECT found.*, CASE WHEN is_readable THEN pg_sequence_last_value(seqrelid) END AS last_value
  FROM found
), used AS (
  SELECT read.*, CASE WHEN seqincrement > 0 THEN highest - last_value
                      ELSE last_value - lowest END AS room
  FROM read
)
SELECT seqrelid::regclass::text AS name, column_name, remedy, is_readable,
       floor(greatest(room, 0) / abs(seqincrement)) AS left_over,
       round(least(100, 100 * (1 - room / greatest(highest - lowest, 1))), 2)::float AS percent,
       'GRANT SELECT ON ALL SEQUENCES IN SCHEMA ' || quote_ident(nspname) || ' TO '
         || quote_ident(current_user) AS grant_statement
FROM used
WHERE NOT is_readable OR last_value IS NOT NULL
ORDER BY percent DESC NULLS LAST, 1
"""

STATEMENTS: Mapping[str, str] = {
    "transaction_age": TRANSACTION_AGE_SQL,
    "multixact_age": MULTIXACT_AGE_SQL,
    "upkeep": UPKEEP_SQL,
    "unlogged_tables": UNLOGGED_SQL,
    "sequences": SEQUENCES_SQL,
}


def transaction_age(connection: Connection) -> TransactionAge:
    """The database whose oldest transaction id is nearest to the limit."""
    return _age(connection, TRANSACTION_AGE_SQL)


def multixact_age(connection: Connection) -> TransactionAge:
    """The same for the ids of row locks that several transactions share."""
    return _age(connection, MULTIXACT_AGE_SQL)


def _age(connection: Connection, statement: str) -> TransactionAge:
    row = connection.exec_driver_sql(statement).one()
    return TransactionAge(row.datname, int(row.age), int(row.freeze_max_age), int(row.wraps_at))


def upkeep(connection: Connection) -> tuple[TableUpkeep, ...]:
    """What vacuuming has to do, the largest table first."""
    rows = connection.exec_driver_sql(UPKEEP_SQL)
    return tuple(TableUpkeep(**row) for row in rows.mappings())


def unlogged_tables(connection: Connection) -> tuple[FoundObject, ...]:
    """Tables that a crash empties."""
    rows = connection.exec_driver_sql(UNLOGGED_SQL)
    return tuple(FoundObject(row.name, row.detail, row.remedy) for row in rows)


def sequences(connection: Connection) -> Sequences:
    """How much of each sequence is used; one that was never asked has all of its numbers."""
    rows = connection.exec_driver_sql(SEQUENCES_SQL).all()
    hidden = [row for row in rows if not row.is_readable]
    seen = tuple(
        SequenceUse(row.name, row.percent, int(row.left_over), row.column_name, row.remedy)
        for row in rows
        if row.is_readable
    )
    return Sequences(seen, Hidden(len(hidden), hidden[0].grant_statement if hidden else ""))
