"""What PostgreSQL's catalog tells of indexes, keys and policies that are not as they should be.

Of extensions' own objects nothing is told, nor of the system's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qadb.backends.base_health import FoundObject, IndexUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

# Namespaces that are not the system's, by the alias n.
_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"

# What is built, or checked, only in part. An index that a session is at work on is left out.
INVALID_SQL: Final = f"""
SELECT 'index ' || i.indexrelid::regclass AS name,
       'left unfinished or broken: it costs every write and serves no query' AS detail,
       'REINDEX INDEX CONCURRENTLY ' || i.indexrelid::regclass AS remedy
FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready) AND c.relkind = 'i' AND {_OURS}
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
UNION ALL
SELECT 'constraint ' || quote_ident(o.conname) || ' of ' || o.conrelid::regclass,
       'NOT VALID: rows written before it was made were never checked',
       'ALTER TABLE ' || o.conrelid::regclass || ' VALIDATE CONSTRAINT ' || quote_ident(o.conname)
FROM pg_catalog.pg_constraint AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.connamespace
WHERE NOT o.convalidated AND {_OURS}
ORDER BY 1
"""

# A key is served by an index that begins with its columns, in whichever order; a partial one
# serves where it leaves out nothing but NULL.
UNINDEXED_KEYS_SQL: Final = f"""
SELECT 'key ' || quote_ident(o.conname) || ' of ' || o.conrelid::regclass AS name,
       'no index begins with ' || string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
         AS detail,
       'CREATE INDEX CONCURRENTLY ON ' || o.conrelid::regclass || ' ('
         || string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) || ')' AS remedy
FROM pg_catalog.pg_constraint AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.connamespace
CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY AS k (attnum, place)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = o.conrelid AND a.attnum = k.attnum
WHERE o.contype = 'f' AND o.conparentid = 0 AND {_OURS}
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_index AS i
    WHERE i.indrelid = o.conrelid AND i.indisvalid
      AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$')
      AND (i.indkey::smallint[])[0:cardinality(o.conkey) - 1] @> o.conkey)
GROUP BY o.oid, o.conname, o.conrelid
ORDER BY 1
"""

# Two of one table that hold the same columns, expressions and rows in the same order. The one
# that a constraint stands on stays, else the unique one, else the older one.
DUPLICATES_SQL: Final = f"""
WITH indexes AS (
  SELECT i.indexrelid, i.indrelid, i.indisunique,
         pg_relation_size(i.indexrelid) AS size_bytes,
         EXISTS (SELECT FROM pg_catalog.pg_constraint AS o WHERE o.conindid = i.indexrelid)
           AS is_constraint,
         (c.relam, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
          i.indnkeyatts, coalesce(pg_get_expr(i.indexprs, i.indrelid), ''),
          coalesce(pg_get_expr(i.indpred, i.indrelid), ''))::text AS definition
  FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE i.indisvalid AND NOT c.relispartition AND {_OURS}
)
SELECT 'index ' || worse.indexrelid::regclass AS name,
       'the same as ' || better.indexrelid::regclass AS detail,
       'DROP INDEX CONCURRENTLY ' || worse.indexrelid::regclass AS remedy, worse.size_bytes
FROM indexes AS worse JOIN LATERAL (
  SELECT indexrelid FROM indexes AS other
  WHERE other.indrelid = worse.indrelid AND other.definition = worse.definition
  ORDER BY is_constraint DESC, indisunique DESC, indexrelid LIMIT 1
) AS better ON better.indexrelid <> worse.indexrelid
WHERE NOT worse.is_constraint
ORDER BY 1
"""

# Counted since the statistics were reset, or at least since the server was started.
UNUSED_SQL: Final = f"""
SELECT 'index ' || s.indexrelid::regclass AS name,
       'no query has used it' AS detail,
       'DROP INDEX CONCURRENTLY ' || s.indexrelid::regclass AS remedy,
       pg_relation_size(s.indexrelid) AS size_bytes
FROM pg_catalog.pg_stat_user_indexes AS s
JOIN pg_catalog.pg_index AS i ON i.indexrelid = s.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE s.idx_scan = 0 AND NOT i.indisunique AND i.indisvalid AND {_OURS}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS o WHERE o.conindid = i.indexrelid)
ORDER BY 4 DESC, 1
"""
STATISTICS_AGE_SQL: Final = """
SELECT extract(epoch FROM clock_timestamp() - coalesce(stats_reset, pg_postmaster_start_time()))
FROM pg_catalog.pg_stat_database WHERE datname = current_database()
"""

# A column that the policies of one table are about keeps tenants apart in every table that has it.
OPEN_TABLES_SQL: Final = f"""
WITH confining AS (
  SELECT DISTINCT a.attname
  FROM pg_catalog.pg_depend AS d
  JOIN pg_catalog.pg_policy AS p ON p.oid = d.objid AND p.polrelid = d.refobjid
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.refobjsubid > 0 AND a.attname <> 'id'
)
SELECT 'table ' || c.oid::regclass AS name,
       CASE WHEN c.relrowsecurity THEN 'row security is on, and it has no policy'
            WHEN EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid)
            THEN 'it has policies, and row security is off'
            ELSE 'others of its kind have row security, it has none' END AS detail,
       'ALTER TABLE ' || c.oid::regclass || ' ENABLE ROW LEVEL SECURITY' AS remedy
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {_OURS}
  AND (EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid)
       OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN confining USING (attname)
                  WHERE a.attrelid = c.oid AND NOT a.attisdropped))
  AND NOT (c.relrowsecurity
           AND EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid))
ORDER BY 1
"""

STATEMENTS: Mapping[str, str] = {
    "invalid_objects": INVALID_SQL,
    "unindexed_keys": UNINDEXED_KEYS_SQL,
    "duplicate_indexes": DUPLICATES_SQL,
    "unused_indexes": UNUSED_SQL,
    "statistics_age": STATISTICS_AGE_SQL,
    "open_tables": OPEN_TABLES_SQL,
}


def invalid_objects(connection: Connection) -> tuple[FoundObject, ...]:
    """Indexes that are not valid and constraints that were never checked."""
    return _objects(connection, INVALID_SQL)


def unindexed_keys(connection: Connection) -> tuple[FoundObject, ...]:
    """Foreign keys that no index begins with."""
    return _objects(connection, UNINDEXED_KEYS_SQL)


def duplicate_indexes(connection: Connection) -> tuple[FoundObject, ...]:
    """Indexes that another one serves as well."""
    return _objects(connection, DUPLICATES_SQL)


def unused_indexes(connection: Connection) -> IndexUse:
    """Indexes that no query has used, and since when that is counted."""
    seconds = float(connection.exec_driver_sql(STATISTICS_AGE_SQL).scalar_one())
    return IndexUse(seconds, _objects(connection, UNUSED_SQL))


def open_tables(connection: Connection) -> tuple[FoundObject, ...]:
    """Tables whose rows should be confined to a tenant and are not."""
    return _objects(connection, OPEN_TABLES_SQL)


def _objects(connection: Connection, statement: str) -> tuple[FoundObject, ...]:
    rows = connection.exec_driver_sql(statement).mappings()
    return tuple(
        FoundObject(row["name"], row["detail"], row["remedy"], row.get("size_bytes"))
        for row in rows
    )
