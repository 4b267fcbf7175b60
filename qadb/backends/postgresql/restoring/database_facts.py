"""Gives a new database what an archive does not carry: owner, rights, settings and comment.

Meant to be tried in a transaction that is rolled back, before the data takes its time, and then
done.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psycopg2 import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg2

    from qadb.backends.postgresql.restoring.restore_details import RestoreDetails

# Settings whose value is a list of names, each quoted where it needs it; as in pg_dumpall.
NAME_LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
# Who may do what; the server reads its own notation. A role of 0 is everybody.
RIGHTS_SQL = """
SELECT CASE grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(grantee) END, privilege_type, is_grantable
FROM aclexplode(%s::aclitem[])
"""

_LISTED = re.compile(r'"((?:[^"]|"")*)"|([^,\s]+)')


def apply_facts(
    connection: psycopg2.extensions.connection, name: str, details: RestoreDetails
) -> None:
    """Give the database its facts, in the connection's transaction."""
    with connection.cursor() as cursor:
        for statement in _statements(cursor, sql.Identifier(name), details):
            cursor.execute(statement)


def _statements(
    cursor: psycopg2.extensions.cursor, name: sql.Identifier, details: RestoreDetails
) -> Iterator[sql.Composable]:
    yield sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(details.owner))
    if details.acl is not None:
        yield from _rights(cursor, name, details.owner, details.acl)
    if details.comment is not None:
        comment = sql.Literal(details.comment)
        yield sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, comment)
    for role, settings in details.settings:
        alter = sql.SQL("ALTER DATABASE {}").format(name)
        if role is not None:
            alter = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(role), name)
        for setting in settings:
            yield alter + sql.SQL(" SET ") + _setting(*setting.split("=", 1))


def _rights(
    cursor: psycopg2.extensions.cursor, name: sql.Identifier, owner: str, acl: str
) -> Iterator[sql.Composable]:
    revoke = sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}")
    yield revoke.format(name, sql.Identifier(owner))
    cursor.execute(RIGHTS_SQL, (acl,))
    for grantee, right, is_grantable in cursor.fetchall():
        yield sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
            sql.SQL(right),
            name,
            sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee),
            sql.SQL(" WITH GRANT OPTION" if is_grantable else ""),
        )


def _setting(name: str, value: str) -> sql.Composable:
    values = [value]
    if name.lower() in NAME_LISTS:
        found = _LISTED.finditer(value)
        values = [each[2] or each[1].replace('""', '"') for each in found] or [""]
    # A setting of an extension has a dot, which an identifier in quotes must not swallow.
    quoted = sql.SQL(".").join(sql.Identifier(part) for part in name.split("."))
    return sql.SQL("{} TO {}").format(quoted, sql.SQL(", ").join(map(sql.Literal, values)))
