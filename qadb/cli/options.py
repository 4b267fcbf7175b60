"""Options that every verb shares.

Owns one declaration of them: the fields of `GlobalOptions` are at once the parameters that Typer
parses, before the verb and after it, and the typed value that a command gets. What they lead to is
the work of `qadb.cli.context`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from pathlib import Path  # noqa: TC003 - Typer evaluates the annotations below
from typing import TYPE_CHECKING, Annotated, TypeVar, cast, get_type_hints

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GLOBAL_PANEL = "Global options"
_CONTEXT = "typer_context"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """Values of the shared options; a field at its default was not given."""

    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document.", rich_help_panel=GLOBAL_PANEL),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Print nothing on success; warnings, errors and JSON still come.",
            rich_help_panel=GLOBAL_PANEL,
        ),
    ] = False
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Log more to stderr; twice for every detail.",
            rich_help_panel=GLOBAL_PANEL,
        ),
    ] = 0
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Print a traceback with an error.", rich_help_panel=GLOBAL_PANEL
        ),
    ] = False
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            metavar="URL",
            help="Work on this database. A password is safer in QADB_DATABASE_URL: "
            "arguments show in the process list.",
            rich_help_panel=GLOBAL_PANEL,
        ),
    ] = None
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant",
            metavar="ID",
            help="Confine the command to one tenant.",
            rich_help_panel=GLOBAL_PANEL,
        ),
    ] = None
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file",
            metavar="FILE",
            help="Read this file in place of the nearest .env.",
            rich_help_panel=GLOBAL_PANEL,
        ),
    ] = None

    def over(self, earlier: GlobalOptions) -> GlobalOptions:
        """Combine with options given before the verb: what is given later wins."""
        return GlobalOptions(
            **{
                field.name: getattr(self, field.name)
                if getattr(self, field.name) != field.default
                else getattr(earlier, field.name)
                for field in fields(self)
            }
        )

    def settings(self) -> dict[str, str]:
        """Return the options that are settings, by the settings' names."""
        level = {0: None, 1: "info"}.get(self.verbose, "debug")
        given = {"database_url": self.database_url, "tenant": self.tenant, "log_level": level}
        return {name: value for name, value in given.items() if value is not None}


def add_global_options(
    run: Callable[[typer.Context, GlobalOptions, dict[str, object]], T],
    own: Iterable[inspect.Parameter],
) -> Callable[..., T]:
    """Make a function that Typer reads as having ``own`` parameters and the shared options.

    Args:
        run: called with Typer's context, the shared options and the own parameters' values.
        own: parameters with resolved annotations.
    """
    context = inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [
        context,
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
        *_global_parameters(),
    ]

    def entry(**values: object) -> T:
        typer_context = cast("typer.Context", values.pop(_CONTEXT))
        shared = {field.name: values.pop(field.name) for field in fields(GlobalOptions)}
        return run(typer_context, GlobalOptions(**shared), values)  # type: ignore[arg-type]

    entry.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    entry.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return entry


def _global_parameters() -> list[inspect.Parameter]:
    hints = get_type_hints(GlobalOptions, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(GlobalOptions)
    ]
