"""The page of the commands: every verb with its arguments and options, exit codes, error codes."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from typer import Context
from typer.main import get_command

from docs.generator.markdown import NOTICE, code, codes, prose, table
from qadb import errors
from qadb.cli.app import VERBS, app
from qadb.cli.group import load_verb
from qadb.errors import ExitCode, QadbError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer._click import Command, Parameter
    from typer._click import Context as ClickContext  # Click's own, for signatures only

_INTRODUCTION = """\
# Commands

What `qadb --help` and `qadb COMMAND --help` say, in one place. The README tells what the commands
are for.
"""

_DURATION = "DURATION"
_EXTRAS = re.compile(r"\s*\[(?P<extras>[^\[\]]*)\]$")


def commands_page() -> str:
    """Return the page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield from (NOTICE, "", _INTRODUCTION)
    yield from ("## Options of every command", "", "Before the command or after it.", "")
    root = get_command(app)
    with Context(root, info_name="qadb", **root.context_settings) as context:
        shared = root.get_params(context)
        yield from _table("option", shared, context)
    known = {parameter.name for parameter in shared}
    for name, target in VERBS.items():
        yield from ("", *_verb(name, load_verb(name, target), known))
    yield from ("", *_exit_codes(), "", *_error_codes())


def _verb(name: str, verb: Command, known: set[str]) -> Iterator[str]:
    """A verb, without the options that every one has."""
    title, *paragraphs = inspect.cleandoc(verb.help or "").split("\n\n")
    with Context(verb, info_name=f"qadb {name}") as context:
        own = [one for one in verb.get_params(context) if one.name not in known]
        arguments = [one for one in own if one.param_type_name == "argument"]
        usage = " ".join(verb.collect_usage_pieces(context))
        yield from (
            f"## `qadb {name}`",
            "",
            f"{prose(title)} Usage: {code(f'qadb {name} {usage}')}",
        )
        for paragraph in paragraphs:
            yield from ("", *_paragraph(paragraph))
        if arguments:
            yield from ("", *_table("argument", arguments, context))
        options = [one for one in own if one not in arguments]
        if options:
            yield from ("", *_table("option", options, context))


def _paragraph(text: str) -> Iterator[str]:
    """Prose, or an example that keeps its lines."""
    if not text.startswith("Example:"):
        yield prose(text)
        return
    yield "```console"
    yield from (f"$ {line.strip()}" for line in text.splitlines()[1:])
    yield "```"


def _table(kind: str, parameters: list[Parameter], context: ClickContext) -> Iterator[str]:
    return table((kind, "default", ""), (_row(one, context) for one in parameters))


def _row(parameter: Parameter, context: ClickContext) -> tuple[str, str, str]:
    name, help_text = parameter.get_help_record(context) or ("", "")
    name = re.sub(r" <[^>]*>$", "", name)  # Typer names an argument's type, for programmers
    found = _EXTRAS.search(help_text)
    extras = found["extras"].split("; ") if found else []
    default = next((e.removeprefix("default: ") for e in extras if e.startswith("default: ")), "")
    if default and parameter.metavar == _DURATION:
        default = f"{float(default):g} s"
    limits = [extra for extra in extras if not extra.startswith("default: ")]
    text = _EXTRAS.sub("", help_text) + (f" ({', '.join(limits)})" if limits else "")
    return code(name), code(default) if default else "", text


def _exit_codes() -> Iterator[str]:
    yield from ("## Exit codes", "")
    by_code: dict[ExitCode, list[str]] = {}
    for error in _error_classes():
        by_code.setdefault(error.exit_code, []).append(error.code)
    rows = [
        (
            str(int(exit_code)),
            exit_code.name.lower().replace("_", " "),
            codes(sorted(by_code.get(exit_code, []))),
        )
        for exit_code in ExitCode
    ]
    yield from table(("exit code", "", "with `--json`, `error.code` is"), rows)


def _error_codes() -> Iterator[str]:
    yield from (
        "## Error codes",
        "",
        "`error.code` in JSON, and the class that Python code catches.",
        "",
    )
    rows = [
        (code(error.code), code(error.__name__), prose(_summary(error)))
        for error in _error_classes()
    ]
    yield from table(("code", "`qadb.errors`", "meaning"), rows)


def _summary(error: type[QadbError]) -> str:
    return (inspect.getdoc(error) or "").split("\n\n", maxsplit=1)[0]


def _error_classes() -> list[type[QadbError]]:
    """All of them, in the order in which the module declares them."""
    return [
        each
        for each in vars(errors).values()
        if inspect.isclass(each) and issubclass(each, QadbError)
    ]
