"""One run of `qadb health` in every format: to stdout, and to files at once.

Owns which formats there are, how an option names a file, and that a file is there whole or not at
all. What a format looks like is its view's.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from qadb.cli.json_document import encode, to_json
from qadb.cli.plugin_codes import NagiosCode
from qadb.cli.render_plain import render_plain
from qadb.cli.views import health_ci
from qadb.cli.views.health import health_document, health_text
from qadb.cli.views.health_nagios import nagios_failure, nagios_line
from qadb.cli.views.health_prometheus import prometheus_text
from qadb.errors import ConfigurationError, DatabaseUnreachable, QadbError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qadb.cli.json_document import JsonObject
    from qadb.operations.health import FailOn, HealthReport

Format: TypeAlias = Literal["text", "json", "prometheus", "nagios", "junit", "github"]
FORMATS: tuple[Format, ...] = get_args(Format)
_READABLE = 0o644  # another user's program collects it


@dataclass(frozen=True, slots=True)
class Target:
    """A file, and the format that it gets."""

    format: Format
    path: Path


def parse_targets(words: Iterable[str]) -> tuple[Target, ...]:
    """Read ``FORMAT=FILE``.

    Raises:
        ConfigurationError: there is no such format, or no file is named.
    """
    return tuple(_parse_target(word) for word in words)


def _parse_target(word: str) -> Target:
    name, equals, file = word.partition("=")
    for known in FORMATS:
        if known == name and equals and file:
            return Target(known, Path(file).expanduser())
    raise ConfigurationError(
        f"--report {word!r} names no format and file.",
        hint=f"Write it like --report junit=health.xml; there are {', '.join(FORMATS)}.",
    )


def render_report(
    name: Format, report: HealthReport, *, header: JsonObject, where: str, fail_on: FailOn
) -> str:
    """Return the text of a run in one format."""
    match name:
        case "text":
            return render_plain(health_text(report, where))
        case "json":
            fields = {key: to_json(value) for key, value in health_document(report).items()}
            return encode({**header, **fields}, "utf-8")
        case "prometheus":
            return prometheus_text(report, where)
        case "nagios":
            return nagios_line(report)
        case "junit":
            return health_ci.health_junit(report, fail_on)
        case "github":
            return health_ci.health_github(report, where)


def render_failure(name: Format, error: QadbError, *, header: JsonObject, where: str) -> str:
    """Return the text of a run that could not begin."""
    match name:
        case "text":
            return f"{error}\n"
        case "json":
            told: JsonObject = {"code": error.code, "message": error.message, "hint": error.hint}
            return encode({**header, "error": told}, "utf-8")
        case "prometheus":
            return prometheus_text(None, where)
        case "nagios":
            return nagios_failure(error, failure_code(error))
        case "junit":
            return health_ci.failure_junit(error)
        case "github":
            return health_ci.failure_github(error)


def failure_code(error: QadbError) -> NagiosCode:
    """A database that does not answer is critical; what else kept us from asking is unknown."""
    is_down = isinstance(error, DatabaseUnreachable)
    return NagiosCode.CRITICAL if is_down else NagiosCode.UNKNOWN


def write_target(target: Target, text: str) -> None:
    """Write a file beside its name and rename it, so that nobody ever reads half of one.

    Raises:
        QadbError: it can't be written.
    """
    draft = target.path.with_name(f".{target.path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.chmod(_READABLE)
        draft.replace(target.path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise QadbError(
            f"The report {target.path} can't be written: {error.strerror}.",
            hint="Check the folder, and whether this user may write there.",
        ) from error
