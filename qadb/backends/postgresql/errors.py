"""PostgreSQL's exceptions in our words: by SQLSTATE, or by text where a connection failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import psycopg2

from qadb.backends.failures import translate_common
from qadb.backends.postgresql.refusals import (
    database,
    lost,
    quoted,
    role,
    translate_refusal,
    where,
)
from qadb.errors import (
    AuthenticationFailed,
    ConflictError,
    DatabaseFailure,
    InsufficientPrivilege,
    LockNotAvailable,
    QadbError,
    StorageFull,
    TransactionConflict,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.settings import DatabaseUrl

    _Make: TypeAlias = Callable[[str, BaseException, DatabaseUrl], QadbError]

driver_errors: tuple[type[Exception], ...] = (psycopg2.Error,)

# What a role needs on each kind of object to do qadb's work.
_RIGHTS = {
    "schema": "USAGE, CREATE",
    "table": "SELECT, INSERT, UPDATE, DELETE",
    "sequence": "USAGE, SELECT",
    "database": "CONNECT, CREATE, TEMPORARY",
    "function": "EXECUTE",
}
_DENIED = re.compile(r"permission denied for (?P<kind>\w+) (?P<name>.+)")
_OWNED = re.compile(r"must be (?:owner of|able to SET ROLE|a superuser|superuser)")


def translate(error: BaseException, url: DatabaseUrl) -> QadbError:
    """Return the QadbError for an exception of psycopg2 or of SQLAlchemy on top of it."""
    common = translate_common(error)
    if common is not None:
        return common
    driver_error = getattr(error, "orig", None) or error
    text = url.redact(str(driver_error)).strip()
    code = getattr(driver_error, "pgcode", None)
    if code:
        return _by_state(code, driver_error, text, url)
    if isinstance(driver_error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        is_lost: bool = getattr(error, "connection_invalidated", False)
        return translate_refusal(text, url, is_lost=is_lost)
    return DatabaseFailure(f"The database failed: {text or type(driver_error).__name__}")


def _by_state(code: str, error: BaseException, text: str, url: DatabaseUrl) -> QadbError:
    reason = text.splitlines()[0] if text else code
    for prefix, make in _BY_STATE:
        if code.startswith(prefix):
            return make(reason, error, url)
    return DatabaseFailure(f"PostgreSQL refused a statement ({code}): {reason}.")


def _privilege(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return InsufficientPrivilege(
        f"A right is missing for {role(url)} in {database(url)}: {reason}.",
        hint=_grant_hint(reason, quoted(url.user or "…")),
    )


def _grant_hint(reason: str, grantee: str) -> str:
    """The statement that would help, where the server's words (in English) tell."""
    if "row-level security" in reason:
        return "This role is confined to one tenant: name its own with --tenant or QADB_TENANT."
    if "permission denied to create database" in reason:
        return f"Ask an administrator to create it, or to run: ALTER ROLE {grantee} CREATEDB"
    if "create temporary tables" in reason:
        name = reason.partition('"')[2].rstrip('"')
        return f"Ask the owner to run: GRANT TEMPORARY ON DATABASE {quoted(name)} TO {grantee}"
    denied = _DENIED.search(reason)
    if denied and denied["kind"] in _RIGHTS:
        kind, name = denied["kind"], quoted(denied["name"].strip('"'))
        rights = _RIGHTS[kind]
        return f"Ask the owner to run: GRANT {rights} ON {kind.upper()} {name} TO {grantee}"
    if _OWNED.search(reason):
        return f"Use the owner's role, or ask for its membership: GRANT … TO {grantee}"
    return "Ask the owner of the database for the right, or use the owner's role."


def _conflict(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del url
    facts: psycopg2.extensions.Diagnostics | None = getattr(error, "diag", None)
    return ConflictError(
        f"A row breaks a rule: {reason}.",
        table=getattr(facts, "table_name", None),
        constraint=getattr(facts, "constraint_name", None),
    )


def _full(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return StorageFull(
        f"The server at {where(url)} has no room left: {reason}.",
        hint="Free some space there and try again.",
    )


def _locked(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error, url
    return LockNotAvailable(
        f"A lock could not be had in time: {reason}.",
        hint="Somebody uses the table. Try again later, or allow more with --lock-timeout.",
    )


def _conflicting(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error, url
    return TransactionConflict(
        f"Two transactions got in each other's way: {reason}.",
        hint="Nothing of this one was written. Run the command again.",
    )


def _read_only(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return InsufficientPrivilege(
        f"The {database(url)} at {where(url)} takes no writes: {reason}.",
        hint="This may be a standby or a read-only role: connect to the primary.",
    )


def _lost(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return lost(reason, url)


def _refused(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return AuthenticationFailed(
        f"The server at {where(url)} refused {role(url)}: {reason}.",
        hint="Check the user and password in DATABASE_URL, or PGPASSFILE, and pg_hba.conf.",
    )


# SQLSTATE classes and codes, https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_STATE: tuple[tuple[str, _Make], ...] = (
    ("42501", _privilege),
    ("23", _conflict),
    ("53100", _full),
    ("55P03", _locked),
    ("40", _conflicting),
    ("25006", _read_only),
    ("25P03", _lost),  # idle in a transaction for longer than the server allows
    ("25P04", _lost),  # a transaction longer than the server allows
    ("57P", _lost),
    ("08", _lost),
    ("28", _refused),
)
