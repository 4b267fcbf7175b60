"""PostgreSQL's exceptions in our words.

psycopg2 carries no SQLSTATE on a failed connection, so those are told apart by libpq's text. Its
own words are English; the server's (after ``FATAL:``) may be in any language, so what it says there
and we don't recognise counts as a refusal, which is never tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.errors import (
    AuthenticationFailed,
    ConflictError,
    ConnectionLost,
    DatabaseAbsent,
    DatabaseFailure,
    DatabaseUnreachable,
    InsufficientPrivilege,
    LockNotAvailable,
    QadbError,
    StorageFull,
    TransactionConflict,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg2

    from qadb.settings import DatabaseUrl

DUPLICATE_DATABASE = "42P04"

_TRY_AGAIN = (
    "the database system is",  # starting up, shutting down, in recovery
    "too many clients",
    "too many connections",
    "remaining connection slots",
)
_REFUSED = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "authentication failed",
    "is not permitted to log in",
    "no encryption",
)


def translate(error: BaseException, url: DatabaseUrl) -> QadbError:
    """Return the QadbError for an exception of psycopg2 or of SQLAlchemy on top of it."""
    if isinstance(error, QadbError):
        return error
    driver_error = getattr(error, "orig", None) or error
    if isinstance(driver_error, QadbError):
        return driver_error
    text = url.redact(str(driver_error)).strip()
    code = getattr(driver_error, "pgcode", None)
    if code:
        return _by_state(code, driver_error, text, url)
    return _by_text(text, url, is_lost=bool(getattr(error, "connection_invalidated", False)))


def _by_text(text: str, url: DatabaseUrl, *, is_lost: bool) -> QadbError:
    reason = _last_reason(text)
    if any(words in text for words in _TRY_AGAIN):
        return DatabaseUnreachable(
            f"The server at {_where(url)} takes no connections now: {reason}.",
            hint="Try again in a moment.",
        )
    if "does not exist" in text and "database" in text and "FATAL" in text:
        return DatabaseAbsent(
            f"There is no database {url.database!r} at {_where(url)}.",
            hint="Create it with: qadb init",
        )
    if any(words in text for words in _REFUSED):
        return AuthenticationFailed(
            f"The server at {_where(url)} refused user {url.user!r}: {reason}.",
            hint="Check the user and password in DATABASE_URL, or PGPASSFILE, and pg_hba.conf.",
        )
    if "permission denied for database" in text:
        return InsufficientPrivilege(
            f"User {url.user!r} may not connect to database {url.database!r}.",
            hint=f'Ask its owner to run: GRANT CONNECT ON DATABASE "{url.database}" TO the role.',
        )
    if "FATAL:" in text:
        return AuthenticationFailed(
            f"The server at {_where(url)} refused the connection: {reason}.",
            hint="The sentence comes from the server; its log may say more.",
        )
    if is_lost or "terminating connection" in text or "closed the connection" in text:
        return ConnectionLost(
            f"The connection to {_where(url)} broke: {reason}.",
            hint="What was not committed is rolled back. Run the command again.",
        )
    return DatabaseUnreachable(
        f"The server at {_where(url)} could not be reached: {reason}.",
        hint="Check host and port in DATABASE_URL, and that the server runs.",
    )


def _by_state(code: str, error: BaseException, text: str, url: DatabaseUrl) -> QadbError:
    reason = text.splitlines()[0] if text else code
    for prefix, make in _BY_STATE:
        if code.startswith(prefix):
            return make(reason, error, url)
    return DatabaseFailure(f"PostgreSQL refused a statement ({code}): {reason}.")


def _privilege(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return InsufficientPrivilege(
        f"User {url.user!r} lacks a right in {url.database!r}: {reason}.",
        hint=_grant_hint(reason),
    )


def _grant_hint(reason: str) -> str:
    if "permission denied for schema" in reason:
        return "Ask the owner to run: GRANT USAGE, CREATE ON SCHEMA public TO the role."
    if "create database" in reason:
        return "Ask an administrator to create the database, or to run: ALTER ROLE … CREATEDB."
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
        f"The server at {_where(url)} has no room left: {reason}.",
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
    return TransactionConflict(f"Two transactions got in each other's way: {reason}.")


def _read_only(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return InsufficientPrivilege(
        f"{url.database!r} at {_where(url)} takes no writes: {reason}.",
        hint="This may be a standby or a read-only role: connect to the primary.",
    )


def _lost(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return ConnectionLost(
        f"The connection to {_where(url)} broke: {reason}.",
        hint="What was not committed is rolled back. Run the command again.",
    )


def _refused(reason: str, error: BaseException, url: DatabaseUrl) -> QadbError:
    del error
    return AuthenticationFailed(f"The server refused user {url.user!r}: {reason}.")


# SQLSTATE classes and codes, https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_STATE: tuple[tuple[str, Callable[[str, BaseException, DatabaseUrl], QadbError]], ...] = (
    ("42501", _privilege),
    ("23", _conflict),
    ("53100", _full),
    ("55P03", _locked),
    ("40", _conflicting),
    ("25006", _read_only),
    ("57P", _lost),
    ("08", _lost),
    ("28", _refused),
)


def _where(url: DatabaseUrl) -> str:
    hosts = ", ".join(
        f"{host or 'the local socket'}{f':{port}' if port else ''}" for host, port in url.hosts
    )
    return hosts or url.query.get("host", "the local socket")


def _last_reason(text: str) -> str:
    """Several addresses fail one after the other: the last line says it as well as any."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next((line for line in lines if "FATAL:" in line), lines[0] if lines else "no reason")
    for mark in ("FATAL:", "failed:"):
        if mark in line:
            line = line.rsplit(mark, 1)[1].strip()
    return line.rstrip(".")
