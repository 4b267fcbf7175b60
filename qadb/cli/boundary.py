"""The error boundary: every failure becomes a sentence, a hint and an exit code, here only.

Owns what an exception looks like on stderr, in JSON and as an exit code, and that nothing secret
is in it. Raising is everybody else's part.
"""

from __future__ import annotations

import io
import traceback
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import typer

from qadb.cli import streams
from qadb.cli.text import escape_controls_in_lines
from qadb.errors import ExitCode, QadbError, Terminated

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from qadb.cli.context import Invocation
    from qadb.cli.json_document import JsonObject


@runtime_checkable
class UsageFailure(Protocol):
    """A wrong command line, as the parser raises it: it knows the usage line to show."""

    exit_code: int

    def show(self, file: IO[str] | None = None) -> None:
        """Write the usage line, the way to help and the sentence."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure, ready to be shown: without secrets.

    Attributes:
        code: the stable word in JSON.
        message: one sentence.
        hint: what to do next, or None.
        exit_code: the process's exit code.
        label: what stands before the sentence on stderr; JSON has the code for that.
    """

    code: str
    message: str
    hint: str | None
    exit_code: ExitCode
    label: str = "Error:"


def guard(invocation: Invocation, run: Callable[[], int | None]) -> int:
    """Run, show whatever fails, and return the process's exit code."""
    try:
        code = run()
    except typer.Exit as request:
        return request.exit_code
    except typer.TyperException as error:
        return _show_usage_failure(error)
    except BrokenPipeError as error:
        # Before a verb runs, only help and the version are written. Later, the output's own
        # broken pipes never come here: this is another pipe, and the work behind it failed.
        if invocation.context is not None:
            return _show(invocation, error)
        streams.silence("stdout")
        return ExitCode.OK
    except (Exception, KeyboardInterrupt, Terminated) as error:  # noqa: BLE001 - the one place that may
        return _show(invocation, error)
    return ExitCode.OK if code is None else code


def finish(code: int) -> int:
    """Flush the streams, so that the interpreter's end can't fail; return the exit code."""
    for name in streams.NAMES:
        try:
            streams.flush(name)
        except OSError:  # a full disk: what was written is not all there
            streams.silence(name)
            code = code or ExitCode.FAILED
    return code


def explain(error: BaseException, *, debug: bool) -> Failure:
    """Turn an exception into words; they may still hold secrets."""
    match error:
        case Terminated():
            return Failure(error.code, "Terminated.", None, error.exit_code, label="")
        case QadbError():
            return Failure(error.code, error.message, error.hint, error.exit_code)
        case KeyboardInterrupt():
            return Failure("interrupted", "Interrupted.", None, ExitCode.INTERRUPTED, label="")
        case typer.Abort():
            return Failure("declined", "Aborted.", None, ExitCode.FAILED, label="")
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = None if debug else "Run the command again with --debug to see where it happened."
    return Failure("unexpected", message, hint, ExitCode.FAILED, label="Unexpected error:")


def _show(invocation: Invocation, error: BaseException) -> int:
    """Write the failure; a stderr that can't be written changes nothing about it."""
    secrets = invocation.secrets
    options = invocation.options
    failure = _hide_secrets(explain(error, debug=options.debug), secrets)
    with suppress(OSError):
        if options.debug:
            streams.write("stderr", _format_traceback(error, secrets))
        invocation.output.error(failure.message, failure.hint, label=failure.label)
    if invocation.output.as_json:
        with suppress(OSError):
            invocation.output.document({**invocation.header(), "error": _error_field(failure)})
    return failure.exit_code


def _error_field(failure: Failure) -> JsonObject:
    return {"code": failure.code, "message": failure.message, "hint": failure.hint}


def _hide_secrets(failure: Failure, secrets: frozenset[str]) -> Failure:
    from qadb.redaction import redact  # noqa: PLC0415 - only for a failure

    message = redact(failure.message, secrets)
    hint = None if failure.hint is None else redact(failure.hint, secrets)
    return replace(failure, message=message, hint=hint)


def _format_traceback(error: BaseException, secrets: frozenset[str]) -> str:
    from qadb.redaction import redact  # noqa: PLC0415 - only for a failure

    text = "".join(traceback.format_exception(error))
    return escape_controls_in_lines(redact(text, secrets))


def _show_usage_failure(error: typer.TyperException) -> int:
    """Write what the parser says about a wrong command line; arguments may hold secrets."""
    from qadb.redaction import redact  # noqa: PLC0415 - only for a failure

    buffer = io.StringIO()
    if isinstance(error, UsageFailure):
        error.show(buffer)
    else:
        buffer.write(f"Error: {error.format_message()}\n")
    with suppress(OSError):
        streams.write("stderr", escape_controls_in_lines(redact(buffer.getvalue(), frozenset())))
    return error.exit_code
