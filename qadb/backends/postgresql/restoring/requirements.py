"""What a server must have before a backup can be restored into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg2

from qadb.backends.postgresql.connector import database_name, maintenance_connection
from qadb.backends.postgresql.errors import translate
from qadb.backends.postgresql.programs.finding import VERSION_DIGITS, find_programs
from qadb.backends.postgresql.programs.pooling import require_own_session
from qadb.backends.postgresql.refusals import quoted
from qadb.backends.postgresql.restoring.restore_details import RestoreDetails, read_details
from qadb.errors import InsufficientPrivilege, RestoreRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qadb.backends.values import ConnectionOptions
    from qadb.settings import DatabaseUrl

# One row: the role and what it may; whether the server takes writes; whether the role may do
# with the database as its owner may, NULL where there is none.
ROLE_SQL = """
SELECT current_user, rolcreatedb OR rolsuper, pg_is_in_recovery(),
    (SELECT pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = %s),
    (SELECT pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = %s)
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""
ROLES_SQL = "SELECT rolname FROM pg_catalog.pg_roles"
EXTENSIONS_SQL = "SELECT name FROM pg_catalog.pg_available_extensions"
TABLESPACES_SQL = "SELECT spcname FROM pg_catalog.pg_tablespace"
FOREIGN_SQL = """
SELECT rolname FROM pg_catalog.pg_roles
WHERE rolname = ANY (%s) AND NOT pg_has_role(oid, 'MEMBER') ORDER BY rolname
"""


def check_requirements(
    url: DatabaseUrl, options: ConnectionOptions, details: Mapping[str, object]
) -> None:
    """Raise unless the server has what the backup needs.

    Raises:
        MissingProgram: no pg_restore that reads the archive.
        ConfigurationError: a pooler shares its connections.
        InsufficientPrivilege: the role may not make or replace databases, or act for owners.
        RestoreRefused: an older server or a standby; roles, extensions or tablespaces are missing.
    """
    del options
    wanted = read_details(details)
    try:
        with maintenance_connection(url) as connection, connection.cursor() as cursor:
            major = connection.info.server_version // VERSION_DIGITS
            _check_server(major, wanted)
            find_programs(major, oldest=wanted.dump_major)
            require_own_session(connection, url.with_database(connection.info.dbname))
            role = check_role(cursor, database_name(url, connection))
            _check_missing(cursor, wanted)
            _check_owners(cursor, role, wanted)
    except psycopg2.Error as error:
        raise translate(error, url) from error


def _check_server(major: int, wanted: RestoreDetails) -> None:
    if major < wanted.server_major:
        raise RestoreRefused(
            f"The backup is of PostgreSQL {wanted.server_version}, and this server is of "
            f"{major}: an older server can't take it.",
            hint=f"Restore into a server of PostgreSQL {wanted.server_major} or newer.",
        )


def check_role(cursor: psycopg2.extensions.cursor, name: str) -> str:
    """Return the role's name; raises unless it may put another database in this one's place.

    Raises:
        InsufficientPrivilege: it may not make databases, or not act for this one's owner.
        RestoreRefused: the server is a standby.
    """
    cursor.execute(ROLE_SQL, (name, name))
    role, creates, is_standby, owns, owner = cursor.fetchall()[0]
    if is_standby:
        raise RestoreRefused(
            "This server is a standby, which takes no writes.", hint="Use the primary."
        )
    if not creates:
        raise InsufficientPrivilege(
            f"A restore makes a database, which the role '{role}' may not.",
            hint=f"Ask an administrator to run: ALTER ROLE {quoted(role)} CREATEDB",
        )
    if owns is False:
        raise InsufficientPrivilege(
            f"The database '{name}' belongs to '{owner}': '{role}' may not put another in its "
            "place.",
            hint=f"Use the owner's role, or: GRANT {quoted(owner)} TO {quoted(role)}",
        )
    return str(role)


def _check_missing(cursor: psycopg2.extensions.cursor, wanted: RestoreDetails) -> None:
    roles = _missing(cursor, ROLES_SQL, wanted.roles)
    extensions = _missing(cursor, EXTENSIONS_SQL, wanted.extensions)
    tablespaces = _missing(cursor, TABLESPACES_SQL, wanted.tablespaces)
    kinds = {"role": roles, "extension": extensions, "tablespace": tablespaces}
    found = [
        f"the {kind}{'s' if len(names) > 1 else ''} {', '.join(names)}"
        for kind, names in kinds.items()
        if names
    ]
    if not found:
        return
    hints = [f"CREATE ROLE {quoted(role)};" for role in roles]
    hints += ["install the extensions on the server"] * bool(extensions)
    hints += [f"CREATE TABLESPACE {quoted(name)} LOCATION '…';" for name in tablespaces]
    raise RestoreRefused(
        f"The server lacks what the backup needs: {'; '.join(found)}.",
        hint=f"Ask an administrator: {' '.join(hints)}",
    )


def _missing(cursor: psycopg2.extensions.cursor, query: str, wanted: Iterable[str]) -> list[str]:
    cursor.execute(query)
    there = {name for (name,) in cursor.fetchall()}
    return [each for each in wanted if each not in there]


def _check_owners(cursor: psycopg2.extensions.cursor, role: str, wanted: RestoreDetails) -> None:
    """A role gives objects only to roles that it is a member of, as a superuser is of all."""
    cursor.execute(FOREIGN_SQL, (list(wanted.owners),))
    names = [name for (name,) in cursor.fetchall()]
    if names:
        raise InsufficientPrivilege(
            f"What the backup holds belongs to {', '.join(names)}, whom this role can't act for.",
            hint="Restore as a superuser, or have one run: "
            f"GRANT {', '.join(map(quoted, names))} TO {quoted(role)}",
        )
