"""What a PostgreSQL backup notes beside pg_dump's archive, which carries it not or not readably.

The database's own settings, rights and locale, and the roles and extensions that a restore finds
missing before it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

FIRST_WITH_PROVIDERS = 15
FIRST_WITH_ONE_LOCALE = 17
FIRST_WITH_RULES = 16

# One row: the database by itself. {locale}: columns that depend on the version.
DATABASE_SQL = """
SELECT d.datname AS database, pg_encoding_to_char(d.encoding) AS encoding,
    d.datcollate AS collate, d.datctype AS ctype, {locale}
    pg_get_userbyid(d.datdba) AS owner, d.datacl::text AS acl,
    shobj_description(d.oid, 'pg_database') AS comment,
    current_setting('server_version_num')::int AS server_version_num,
    split_part(current_setting('server_version'), ' ', 1) AS server_version
FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()
"""

EXTENSIONS_SQL = """
SELECT extname, extversion FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY extname
"""

# Settings of ALTER DATABASE and of ALTER ROLE … IN DATABASE (the role is NULL for the former).
SETTINGS_SQL = """
SELECT r.rolname, s.setconfig
FROM pg_catalog.pg_db_role_setting AS s LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
WHERE s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
ORDER BY r.rolname NULLS FIRST
"""

# Where tables and indexes lie apart from the database's own place.
TABLESPACES_SQL = """
SELECT DISTINCT t.spcname FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_tablespace AS t ON t.oid = c.reltablespace
WHERE t.spcname !~ '^pg_' ORDER BY 1
"""

# An archive does not tell that this namespace was dropped: every new database has it.
HAS_PUBLIC_SQL = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public')"

# Every role that owns something here, has been granted something or stands in a policy; {types}:
# which kinds of dependency. The server's first superuser is in no such row: its objects are asked.
# What belongs to an extension is made by whoever restores.
ROLES_SQL = """
WITH here AS (SELECT oid, datdba FROM pg_catalog.pg_database WHERE datname = current_database()),
named AS (
    SELECT s.refobjid AS role FROM pg_catalog.pg_shdepend AS s, here
    WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.deptype IN ({types})
      AND (s.dbid = here.oid
        OR s.classid = 'pg_catalog.pg_database'::regclass AND s.objid = here.oid)
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS e WHERE e.deptype = 'e'
        AND e.classid = s.classid AND e.objid = s.objid AND s.dbid = here.oid)
    UNION SELECT datdba FROM here
    UNION SELECT o.owner FROM (
        SELECT 'pg_class'::regclass AS kind, oid, relowner AS owner FROM pg_catalog.pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_catalog.pg_proc
        UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_catalog.pg_namespace
        WHERE nspname !~ '^pg_'
        UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_catalog.pg_type) AS o
    WHERE o.oid >= 16384 AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS e
        WHERE e.deptype = 'e' AND e.classid = o.kind AND e.objid = o.oid))
SELECT r.rolname FROM pg_catalog.pg_roles AS r
WHERE r.oid IN (SELECT role FROM named) AND r.rolname !~ '^pg_' ORDER BY r.rolname
"""
ANY_TYPE = "'o', 'a', 'r', 'i'"
OWNER_TYPE = "'o'"


def read_facts(connection: Connection) -> dict[str, object]:
    """Read the facts, as values of JSON."""
    version = int((connection.dialect.server_version_info or (0,))[0])
    statement = DATABASE_SQL.format(locale=_locale_columns(version))
    database = connection.exec_driver_sql(statement).mappings().one()
    settings = connection.exec_driver_sql(SETTINGS_SQL).all()
    named = {row.rolname for row in settings if row.rolname is not None}
    return {
        **database,
        "roles": sorted(named | set(_roles(connection, ANY_TYPE))),
        "owners": _roles(connection, OWNER_TYPE),
        "tablespaces": list(connection.exec_driver_sql(TABLESPACES_SQL).scalars()),
        "has_public": connection.exec_driver_sql(HAS_PUBLIC_SQL).scalar_one(),
        "extensions": {
            str(name): str(version) for name, version in connection.exec_driver_sql(EXTENSIONS_SQL)
        },
        "settings": [{"role": role, "settings": list(values)} for role, values in settings],
    }


def _roles(connection: Connection, types: str) -> list[str]:
    return list(connection.exec_driver_sql(ROLES_SQL.format(types=types)).scalars())


def _locale_columns(version: int) -> str:
    if version < FIRST_WITH_PROVIDERS:
        return ""
    name = "datlocale" if version >= FIRST_WITH_ONE_LOCALE else "daticulocale"
    rules = "d.daticurules" if version >= FIRST_WITH_RULES else "NULL"
    return f"d.datlocprovider::text AS locale_provider, d.{name} AS locale, {rules} AS icu_rules,"
