"""Reads PostgreSQL's catalog of the current namespace, in the server's own words.

Objects of extensions are theirs and left out, and so are grants, which belong to a site, but for
one: whether everybody may call what runs with its owner's rights. The server's functions name an
object without its namespace where the search path finds it; the others' results have it taken off,
so that catalogs of two namespaces compare.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qadb.backends.catalog import Catalog

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Every query yields an object's name in the catalog, its definition, and the table that it belongs
# to or NULL. %(namespace)s is the namespace's oid, %(prefix)s its name and a dot.

TABLES = """
SELECT 'table ' || c.relname, concat_ws('; ',
    'kind ' || c.relkind::text, 'persistence ' || c.relpersistence::text, 'method ' || m.amname,
    'options ' || array_to_string(c.reloptions, ', '), 'tablespace ' || s.spcname,
    CASE WHEN c.relrowsecurity THEN 'row security' END,
    CASE WHEN c.relforcerowsecurity THEN 'forced row security' END,
    'replica identity ' || c.relreplident::text,
    'partition by ' || pg_get_partkeydef(c.oid),
    'child of ' || (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                    FROM pg_inherits i WHERE i.inhrelid = c.oid),
    pg_get_expr(c.relpartbound, c.oid)), c.relname
FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam
LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
WHERE c.relnamespace = %(namespace)s AND c.relkind IN ('r', 'p', 'f')
"""

COLUMNS = """
SELECT 'table ' || c.relname || ' column ' || a.attname, concat_ws(' ',
    format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation
         THEN 'collate ' || a.attcollation::regcollation::text END,
    CASE WHEN a.attnotnull THEN 'not null' ELSE 'null' END,
    CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
    CASE a.attgenerated WHEN 's' THEN 'generated stored' WHEN 'v' THEN 'generated virtual' END,
    'default ' || pg_get_expr(d.adbin, d.adrelid, true),
    CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END,
    'compression ' || nullif(a.attcompression::text, ''),
    CASE WHEN a.attstattarget >= 0 THEN 'statistics ' || a.attstattarget END,
    'options ' || array_to_string(a.attoptions, ', ')), c.relname
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = %(namespace)s AND c.relkind IN ('r', 'p', 'f')
  AND a.attnum > 0 AND NOT a.attisdropped
"""

# The definition tells DEFERRABLE, NOT VALID and NOT ENFORCED too. NOT NULL is the columns' affair;
# version 18 lists it here as well, under names that it makes up.
CONSTRAINTS = """
SELECT 'table ' || c.relname || ' constraint ' || k.conname, pg_get_constraintdef(k.oid, true),
    c.relname
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.connamespace = %(namespace)s AND k.contype NOT IN ('n', 't')
"""

INDEXES = """
SELECT 'index ' || c.relname, concat_ws('; ', pg_get_indexdef(i.indexrelid, 0, true),
    CASE WHEN NOT i.indisvalid THEN 'invalid' END, CASE WHEN i.indisclustered THEN 'clustered' END,
    CASE WHEN i.indisreplident THEN 'replica identity' END), t.relname
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE c.relnamespace = %(namespace)s
"""

# Internal triggers do the work of foreign keys: they show only where somebody switched them.
TRIGGERS = """
SELECT 'table ' || c.relname || ' trigger '
    || CASE WHEN g.tgisinternal THEN k.conname || ' ' || g.tgfoid::regproc::text ELSE g.tgname END,
    concat_ws('; ', CASE WHEN NOT g.tgisinternal THEN pg_get_triggerdef(g.oid, true) END,
    'enabled ' || g.tgenabled::text), c.relname
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
LEFT JOIN pg_constraint k ON k.oid = g.tgconstraint
WHERE c.relnamespace = %(namespace)s AND (NOT g.tgisinternal OR g.tgenabled <> 'O')
"""

POLICIES = """
SELECT 'table ' || c.relname || ' policy ' || p.polname, concat_ws('; ',
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, 'for ' || p.polcmd::text,
    'to ' || (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END, ', '
                                ORDER BY r::regrole::text) FROM unnest(p.polroles) r),
    'using ' || pg_get_expr(p.polqual, p.polrelid, true),
    'check ' || pg_get_expr(p.polwithcheck, p.polrelid, true)), c.relname
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = %(namespace)s
"""

RULES = """
SELECT 'table ' || c.relname || ' rule ' || r.rulename,
    concat_ws('; ', pg_get_ruledef(r.oid, true), 'enabled ' || r.ev_enabled::text), c.relname
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = %(namespace)s AND r.rulename <> '_RETURN'
"""

STATISTICS = """
SELECT 'statistics ' || s.stxname,
    replace(pg_get_statisticsobjdef(s.oid), %(prefix)s, ''), c.relname
FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid
WHERE s.stxnamespace = %(namespace)s
"""

VIEWS = """
SELECT 'view ' || c.relname, concat_ws('; ', 'kind ' || c.relkind::text,
    'options ' || array_to_string(c.reloptions, ', '), pg_get_viewdef(c.oid, true)), c.relname
FROM pg_class c WHERE c.relnamespace = %(namespace)s AND c.relkind IN ('v', 'm')
"""

SEQUENCES = """
SELECT 'sequence ' || c.relname, concat_ws('; ', format_type(q.seqtypid, NULL),
    format('start %%s increment %%s from %%s to %%s cache %%s cycle %%s', q.seqstart,
           q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle),
    'owned by ' || t.relname || '.' || a.attname), coalesce(t.relname, c.relname)
FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE c.relnamespace = %(namespace)s
"""

FUNCTIONS = """
SELECT 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    CASE p.prokind WHEN 'a' THEN 'aggregate of ' || pg_get_function_result(p.oid)
    ELSE replace(pg_get_functiondef(p.oid), %(prefix)s, '') END
    || CASE WHEN p.prosecdef AND has_function_privilege('public', p.oid, 'EXECUTE')
       THEN '; open to everybody' ELSE '' END, NULL
FROM pg_proc p WHERE p.pronamespace = %(namespace)s
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass
                  AND e.objid = p.oid AND e.deptype = 'e')
"""

TYPES = """
SELECT 'type ' || t.typname, concat_ws('; ', 'kind ' || t.typtype::text,
    (SELECT string_agg(l.enumlabel, ', ' ORDER BY l.enumsortorder)
     FROM pg_enum l WHERE l.enumtypid = t.oid),
    CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
    CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault,
    (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid, true), ', '
                       ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid),
    (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', '
                       ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = t.typrelid AND NOT a.attisdropped),
    (SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid)), NULL
FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = %(namespace)s
  AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass
                  AND e.objid = t.oid AND e.deptype = 'e')
"""

COMMENTS = """
SELECT 'comment on ' || pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description,
    coalesce(t.relname, c.relname)
FROM pg_description d
LEFT JOIN pg_constraint k ON d.classoid = 'pg_constraint'::regclass AND k.oid = d.objoid
LEFT JOIN pg_trigger g ON d.classoid = 'pg_trigger'::regclass AND g.oid = d.objoid
LEFT JOIN pg_policy p ON d.classoid = 'pg_policy'::regclass AND p.oid = d.objoid
LEFT JOIN pg_class c ON c.oid = coalesce(k.conrelid, g.tgrelid, p.polrelid,
    CASE WHEN d.classoid = 'pg_class'::regclass THEN d.objoid END)
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_class t ON t.oid = i.indrelid
LEFT JOIN pg_proc f ON d.classoid = 'pg_proc'::regclass AND f.oid = d.objoid
LEFT JOIN pg_type y ON d.classoid = 'pg_type'::regclass AND y.oid = d.objoid
WHERE coalesce(c.relnamespace, f.pronamespace, y.typnamespace) = %(namespace)s
"""

# Collations, operators, text search configurations and whatever else may lie in a namespace.
OTHERS = """
SELECT pg_describe_object(d.classid, d.objid, 0), 'present', NULL
FROM pg_depend d
WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = %(namespace)s AND d.deptype = 'n'
  AND d.classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass,
                        'pg_constraint'::regclass, 'pg_statistic_ext'::regclass,
                        'pg_default_acl'::regclass, 'pg_extension'::regclass)
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid
                  AND e.objid = d.objid AND e.deptype = 'e')
"""

_QUERIES_OF_TABLES = (TABLES, COLUMNS, CONSTRAINTS, INDEXES, TRIGGERS, POLICIES, RULES, STATISTICS)
_QUERIES = (*_QUERIES_OF_TABLES, VIEWS, SEQUENCES, FUNCTIONS, TYPES, COMMENTS, OTHERS)

# Tables, views and sequences that came with an extension.
OF_EXTENSIONS = """
SELECT c.relname FROM pg_class c
JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
WHERE c.relnamespace = %(namespace)s
"""

NAMESPACE = """
SELECT oid AS namespace, quote_ident(nspname) || '.' AS prefix
FROM pg_namespace WHERE nspname = current_schema()
"""


# What was IN ('a', 'b') on a varchar is written one way where it was made, and another once the
# server's own words for it were read again, as a restored backup's are.
_LITERAL = r"E?'(?:[^']|'')*'::character varying"
_CAST_ARRAY = re.compile(rf"ARRAY\[({_LITERAL}(?:, {_LITERAL})*)\]::text\[\]")


def read_catalog(connection: Connection, *, ignore_tables: frozenset[str]) -> Catalog:
    """Describe every object of the current namespace but those of the tables named."""
    objects: dict[str, str] = {}
    place = dict(connection.exec_driver_sql(NAMESPACE).mappings().one())
    ignored = ignore_tables.union(connection.exec_driver_sql(OF_EXTENSIONS, place).scalars())
    for query in _QUERIES:
        rows = connection.exec_driver_sql(query, place)
        objects |= {
            name: text and _CAST_ARRAY.sub(_cast_members, text)
            for name, text, table in rows
            if table not in ignored
        }
    return Catalog(objects)


def _cast_members(array: re.Match[str]) -> str:
    """Write the cast at each member instead of at the whole."""
    return f"ARRAY[{re.sub(_LITERAL, lambda member: f'{member[0]}::text', array[1])}]"
