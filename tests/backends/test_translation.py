"""Exceptions in our words, where provoking the real ones would take a broken disk or server."""

from __future__ import annotations

import sqlite3

import psycopg2
import pytest
from sqlalchemy.exc import DBAPIError

from qadb.backends import failures
from qadb.backends.postgresql import errors as postgresql
from qadb.backends.sqlite import errors as sqlite
from qadb.errors import (
    AuthenticationFailed,
    ConflictError,
    ConnectionLost,
    DatabaseFailure,
    DatabaseUnreachable,
    ExitCode,
    InsufficientPrivilege,
    LockNotAvailable,
    NotADatabase,
    QadbError,
    StorageFull,
    TransactionConflict,
)
from qadb.settings import DatabaseUrl

SERVER = DatabaseUrl(
    engine="postgresql", user="qa", password="gehe:im", hosts=(("db", 5432),), database="results"
)
LIBPQ_DEFAULTS = DatabaseUrl(engine="postgresql")


class FakeError(psycopg2.OperationalError):
    """What psycopg2 makes of a server's refusal; its own SQLSTATE can't be set."""

    pgcode = ""


def refusal(state: str, text: str) -> FakeError:
    error = FakeError(text)
    error.pgcode = state
    return error


@pytest.mark.parametrize(
    ("state", "kind", "exit_code"),
    [
        ("53100", StorageFull, ExitCode.FAILED),
        ("23505", ConflictError, ExitCode.FAILED),
        ("23503", ConflictError, ExitCode.FAILED),
        ("40P01", TransactionConflict, ExitCode.FAILED),
        ("40001", TransactionConflict, ExitCode.FAILED),
        ("42501", InsufficientPrivilege, ExitCode.FAILED),
        ("25006", InsufficientPrivilege, ExitCode.FAILED),
        ("55P03", LockNotAvailable, ExitCode.LOCKED),
        ("57P01", ConnectionLost, ExitCode.UNREACHABLE),
        ("57P03", ConnectionLost, ExitCode.UNREACHABLE),
        ("25P03", ConnectionLost, ExitCode.UNREACHABLE),
        ("25P04", ConnectionLost, ExitCode.UNREACHABLE),
        ("08006", ConnectionLost, ExitCode.UNREACHABLE),
        ("28P01", AuthenticationFailed, ExitCode.UNREACHABLE),
        ("57014", DatabaseFailure, ExitCode.FAILED),
        ("XX001", DatabaseFailure, ExitCode.FAILED),
    ],
)
@pytest.mark.parametrize("is_wrapped", [True, False])
@pytest.mark.parametrize("url", [SERVER, LIBPQ_DEFAULTS])
def test_sqlstate_decides_in_any_language(
    state: str, kind: type[QadbError], exit_code: ExitCode, is_wrapped: bool, url: DatabaseUrl
) -> None:
    error: Exception = refusal(state, "plus d'espace disque pour gehe:im\nDÉTAIL : gehe:im\n")
    if is_wrapped:
        error = DBAPIError("INSERT …", None, error)

    translated = postgresql.translate(error, url)

    assert type(translated) is kind
    assert translated.exit_code is exit_code
    assert "espace disque" in translated.message
    assert "\n" not in translated.message
    assert "None" not in f"{translated.message} {translated.hint or ''}"
    assert url is LIBPQ_DEFAULTS or "gehe:im" not in translated.message


FAILED = 'connection to server at "db" ({}), port 5432 failed: '
REFUSED = f"{FAILED.format('::1')}Connection refused\n\tIs the server running on that host?\n"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (f"{FAILED}timeout expired\n", DatabaseUnreachable, "timeout expired"),
        (f"{REFUSED}{FAILED}No route to host\n", DatabaseUnreachable, "No route to host"),
        (
            f'{REFUSED}{FAILED}FATAL:  password authentication failed for user "qa"\n',
            AuthenticationFailed,
            "password authentication failed",
        ),
        (
            f"{FAILED}server closed the connection unexpectedly\n\tThis probably means …\n",
            DatabaseUnreachable,
            "closed the connection",
        ),
        (
            f"{FAILED}server does not support SSL, but SSL was required\n",
            AuthenticationFailed,
            "SSL was required",
        ),
        (f"{FAILED}fe_sendauth: no password supplied\n", AuthenticationFailed, "no password"),
        ("SSL connection has been closed unexpectedly\n", ConnectionLost, "closed"),
        ("connection already closed", ConnectionLost, "already closed"),
    ],
)
def test_libpqs_text_decides_where_there_is_no_sqlstate(
    text: str, kind: type[QadbError], words: str
) -> None:
    translated = postgresql.translate(psycopg2.OperationalError(text), SERVER)

    assert type(translated) is kind
    assert words in translated.message
    assert "db:5432" in translated.message
    assert "\n" not in translated.message
    assert translated.hint


def test_password_in_a_drivers_text_is_hidden() -> None:
    error = psycopg2.OperationalError('could not translate host name "gehe:im@db" to address: no')

    assert "gehe" not in postgresql.translate(error, SERVER).message


@pytest.mark.parametrize(
    ("name", "kind", "exit_code"),
    [
        ("SQLITE_FULL", StorageFull, ExitCode.FAILED),
        ("SQLITE_BUSY", LockNotAvailable, ExitCode.LOCKED),
        ("SQLITE_BUSY_SNAPSHOT", LockNotAvailable, ExitCode.LOCKED),
        ("SQLITE_PROTOCOL", LockNotAvailable, ExitCode.LOCKED),
        ("SQLITE_CORRUPT_INDEX", NotADatabase, ExitCode.FAILED),
        ("SQLITE_NOTADB", NotADatabase, ExitCode.FAILED),
        ("SQLITE_READONLY_DBMOVED", InsufficientPrivilege, ExitCode.FAILED),
        ("SQLITE_IOERR_READ", DatabaseFailure, ExitCode.FAILED),
        ("", DatabaseFailure, ExitCode.FAILED),
    ],
)
def test_sqlites_error_name_decides(name: str, kind: type[QadbError], exit_code: ExitCode) -> None:
    error = sqlite3.OperationalError("something")
    error.sqlite_errorname = name

    translated = sqlite.translate(error, DatabaseUrl(engine="sqlite", is_memory=True))

    assert type(translated) is kind
    assert translated.exit_code is exit_code


def test_own_errors_pass_as_they_are() -> None:
    ours = QadbError("ours")
    for translate in (sqlite.translate, postgresql.translate):
        assert translate(ours, SERVER) is ours


def test_refused_value_is_not_repeated() -> None:
    error = UnicodeEncodeError("utf-8", "a secret \ud800", 9, 10, "surrogates not allowed")

    assert "secret" not in failures.refused_value(error).message
