"""What makes a function a verb: the decorator and the class that Typer builds it with.

Owns how a verb is called and how its help looks. Which verbs there are is `qadb.cli.app`'s.
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeAlias, cast, get_type_hints

from typer.core import TyperCommand

from qadb.cli.coercion import convert_lightly
from qadb.cli.context import CommandContext, Invocation
from qadb.cli.options import GLOBAL_PANEL, GlobalOptions, add_global_options
from qadb.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    import typer
    from typer._click import Context, HelpFormatter, Parameter  # Click's, for signatures only

_PYTHON_TYPE = re.compile(r" <[\w\[\]| ]+>$")  # Typer names an argument's type, for programmers

P = ParamSpec("P")
Verb: TypeAlias = "Callable[..., int | None]"


def command(function: Callable[Concatenate[CommandContext, P], int | None]) -> Verb:
    """Make a verb of a function that takes its context first and its own parameters after it.

    The verb has the shared options too. It ends with the exit code that the function returns.
    The function's docstring is its help: the first line stands in the list of verbs, and a
    paragraph with an indented line (an example) is shown as it is written.
    """
    known = {"CommandContext": CommandContext, "ExitCode": ExitCode}  # importing them is optional
    hints = get_type_hints(function, localns=known, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in list(inspect.signature(function).parameters.values())[1:]
    ]

    def run(
        typer_context: typer.Context, options: GlobalOptions, values: dict[str, object]
    ) -> int | None:
        invocation = typer_context.find_object(Invocation) or Invocation()
        body = cast("Verb", function)
        with invocation.begin(typer_context.info_name or "", options) as context:
            return body(context, **values)

    verb = add_global_options(run, own)
    return functools.wraps(function, assigned=("__module__", "__name__", "__doc__"))(verb)


class VerbCommand(TyperCommand):
    """A verb whose help keeps examples as they are written and the shared options apart."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Return the verb's parameters and the shared options, quick to convert."""
        return convert_lightly(super().get_params(ctx))

    def format_help_text(
        self,
        ctx: Context,  # noqa: ARG002 - Typer's interface
        formatter: HelpFormatter,
    ) -> None:
        """Write the docstring; the formatter leaves paragraphs alone that begin with a mark."""
        paragraphs = inspect.cleandoc(self.help or "").split("\n\n")
        marked = (f"\b\n{text}" if "\n " in f"\n{text}" else text for text in paragraphs)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n\n".join(marked))

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write arguments, the verb's own options, then the shared ones."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        sections[GLOBAL_PANEL] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                section = _section(parameter)
                if section == "Arguments":
                    record = (_PYTHON_TYPE.sub("", record[0]), record[1])
                sections[section].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _section(parameter: object) -> str:
    if getattr(parameter, "param_type_name", "") == "argument":
        return "Arguments"
    is_shared = getattr(parameter, "rich_help_panel", None) == GLOBAL_PANEL
    return GLOBAL_PANEL if is_shared or getattr(parameter, "name", "") == "help" else "Options"
