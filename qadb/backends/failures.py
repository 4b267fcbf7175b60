"""Failures that every engine has alike: refused values and writes, a pool with nothing left.

What an engine says in words or codes of its own is translated in the engine's folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import event
from sqlalchemy.exc import StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from qadb.errors import DatabaseFailure, QadbError, ReadOnlySession

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine
    from sqlalchemy.engine import ExceptionContext

REFUSALS: Final = (ValueError, TypeError, ArithmeticError)
"""What converting a value raises: a NUL or half a surrogate in a text, a number that is too big."""


def translate_common(error: BaseException) -> QadbError | None:
    """Return the QadbError for what no engine has a word for, None for all that one has."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, QadbError):
        return cause
    if isinstance(error, PoolTimeoutError):
        return DatabaseFailure(
            "Every connection of the pool is in use, and none came free in time.",
            hint="Raise DATABASE_POOL_SIZE or DATABASE_MAX_OVERFLOW, or end sessions sooner.",
        )
    if isinstance(error, StatementError) and isinstance(cause, REFUSALS):
        return refused_value(cause)
    return None


def refused_value(error: Exception) -> DatabaseFailure:
    """Return the failure for a value that can't even be sent; it repeats no text of the row."""
    reason = error.reason if isinstance(error, UnicodeError) else str(error)  # type: ignore[attr-defined]  # its two subclasses have it
    return DatabaseFailure(f"A value can't be stored: {reason or type(error).__name__}.")


def refused_write() -> ReadOnlySession:
    """Return the failure for a write, or a lock, in what was opened for reading."""
    return ReadOnlySession(
        "This session was opened for reading.", hint="Open it without read_only=True to write."
    )


def translate_refused_writes(engine: Engine, is_refusal: Callable[[BaseException], bool]) -> None:
    """Have an engine for reading say so, where the driver's words would blame the user's rights."""

    def translate(context: ExceptionContext) -> None:
        if is_refusal(context.original_exception):
            raise refused_write() from context.original_exception

    event.listen(engine, "handle_error", translate)


def translate_refused_values(engine: Engine) -> None:
    """Have the engine raise a QadbError where a driver raises one of Python's own exceptions."""
    event.listen(engine, "handle_error", _translate_refusal)


def _translate_refusal(context: ExceptionContext) -> None:
    """SQLAlchemy wraps what the driver's own classes name, and lets the others pass."""
    error = context.original_exception
    if context.sqlalchemy_exception is None and isinstance(error, REFUSALS):
        raise refused_value(error) from error
