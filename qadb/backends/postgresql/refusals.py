"""Why a connection to PostgreSQL failed, told from libpq's text.

psycopg2 carries no SQLSTATE there. libpq's own words are English. What the server says stands
behind a severity and two blanks and may be in any language: there, what we don't recognise counts
as a refusal, which is never tried again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qadb.errors import (
    AuthenticationFailed,
    ConnectionLost,
    DatabaseAbsent,
    DatabaseUnreachable,
    InsufficientPrivilege,
    QadbError,
)

if TYPE_CHECKING:
    from qadb.settings import DatabaseUrl

_SAID_BY_SERVER = re.compile(r"(?:^|failed: )[^:\n]{1,40}:  (?P<reason>.+)", re.MULTILINE)
_WHILE_CONNECTING = ("connection to server", "could not translate host name")
_BROKEN = ("terminating connection", "closed the connection", "already closed", "unexpectedly")

_ABSENT = re.compile(r'database ".*" does not exist|no such database')
_TRY_AGAIN = (
    "the database system is",  # starting up, shutting down, in recovery
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "no more connections allowed",  # PgBouncer
    "server login has been failing",  # PgBouncer
)
_REFUSED = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "authentication failed",
    "is not permitted to log in",
    "no encryption",
    "no such user",  # PgBouncer
)
_WRONG_ENCRYPTION = ("SSL was required", "certificate verify failed", "root certificate file")


class UnrecognisedRefusal(AuthenticationFailed):
    """The server refused in words that we don't know; the database may just be missing."""


def translate_refusal(text: str, url: DatabaseUrl, *, is_lost: bool) -> QadbError:
    """Return the QadbError for libpq's text, from which secrets are already removed.

    ``is_lost``: SQLAlchemy took it for the end of an established connection.
    """
    said = _SAID_BY_SERVER.search(text)
    if said is not None:
        return _said_by_server(said["reason"].strip(" ."), url)
    reason = _last_line(text)
    if any(words in text for words in _WRONG_ENCRYPTION):
        return AuthenticationFailed(
            f"No encrypted connection to {where(url)}: {reason}.",
            hint="Check DATABASE_SSL_MODE (sslmode) and PGSSLROOTCERT.",
        )
    if any(words in text for words in _REFUSED):
        return _refused(reason, url)
    is_broken = is_lost or any(words in text for words in _BROKEN)
    if is_broken and not any(words in text for words in _WHILE_CONNECTING):
        return lost(text.partition("\n")[0].rstrip("."), url)
    return DatabaseUnreachable(
        f"The server at {where(url)} could not be reached: {reason}.",
        hint="Check host and port in DATABASE_URL, and that the server runs.",
    )


def _said_by_server(reason: str, url: DatabaseUrl) -> QadbError:
    if any(words in reason for words in _TRY_AGAIN):
        return DatabaseUnreachable(
            f"The server at {where(url)} takes no connections now: {reason}.",
            hint="Try again in a moment.",
        )
    if _ABSENT.search(reason):
        return DatabaseAbsent(
            f"There is no {database(url)} at {where(url)}.", hint="Create it with: qadb init"
        )
    if any(words in reason for words in _REFUSED):
        return _refused(reason, url)
    if "permission denied for database" in reason:
        return InsufficientPrivilege(
            f"The server lets {role(url)} not into {database(url)}: {reason}.",
            hint="Ask its owner to run: GRANT CONNECT ON DATABASE "
            f"{quoted(url.database or '…')} TO {quoted(url.user or '…')}",
        )
    if "terminating connection" in reason:
        return lost(reason, url)
    return UnrecognisedRefusal(
        f"The server at {where(url)} refused the connection: {reason}.",
        hint="The sentence comes from the server; its log may say more.",
    )


def _refused(reason: str, url: DatabaseUrl) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"The server at {where(url)} refused {role(url)}: {reason}.",
        hint="Check the user and password in DATABASE_URL, or PGPASSFILE, and pg_hba.conf.",
    )


def confined(reason: str, user: str | None) -> QadbError:
    """A role from which row security hides rows, where all of them are needed."""
    shown = f"user '{user}'" if user else "the default user"
    return InsufficientPrivilege(
        f"Row security hides rows from {shown}, and a backup needs them all: {reason}.",
        hint=f"Use the owner's role, or: ALTER ROLE {quoted(user or '…')} BYPASSRLS",
    )


def lost(reason: str, url: DatabaseUrl) -> ConnectionLost:
    """An established connection is gone, and with it what was not committed."""
    return ConnectionLost(
        f"The connection to {where(url)} broke: {reason}.",
        hint="What was not committed is rolled back. Run the command again.",
    )


def where(url: DatabaseUrl) -> str:
    """The servers' addresses, for people."""
    hosts = (
        f"{host or 'the local socket'}{'' if port is None else f':{port}'}"
        for host, port in url.hosts
    )
    return ", ".join(hosts) or "libpq's default address"


def role(url: DatabaseUrl) -> str:
    """The role that signs in, for people; libpq's default goes unnamed."""
    return "the default user" if url.user is None else f"user '{url.user}'"


def database(url: DatabaseUrl) -> str:
    """The database, for people; libpq's default goes unnamed."""
    return "default database" if url.database is None else f"database '{url.database}'"


def quoted(name: str) -> str:
    """An identifier as it can be copied into a statement."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'


def _last_line(text: str) -> str:
    """Several addresses fail one after the other; indented lines are libpq's advice."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("\t")]
    line = lines[-1].strip() if lines else "no reason was given"
    return line.rpartition(" failed: ")[2].rstrip(".")
