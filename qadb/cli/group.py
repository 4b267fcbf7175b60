"""The root of the command line: verbs loaded by name, and the way in and out of the process.

Owns that a verb's module is imported only when somebody asks for it, and that every run, in a
process or under a test's runner, passes the error boundary.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from qadb.cli.boundary import finish, guard
from qadb.cli.coercion import convert_lightly
from qadb.cli.context import Invocation
from qadb.cli.plugin_codes import exit_code_for
from qadb.cli.signals import terminating_cleanly
from qadb.cli.verb import VerbCommand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typer._click import Context, Parameter  # Click's own, for signatures only


class VerbGroup(TyperGroup):
    """The root command.

    Attributes:
        verbs: for each verb, in the order of help, the ``package.module:function`` it runs.
    """

    verbs: ClassVar[Mapping[str, str]] = {}

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Return the shared options, quick to convert."""
        return convert_lightly(super().get_params(ctx))

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - Typer's interface
        """List the verbs in the order they are declared in."""
        return list(self.verbs)

    def get_command(self, ctx: Context, cmd_name: str) -> VerbCommand | None:  # noqa: ARG002 - Typer's interface
        """Import a verb, or return None where there is no such verb."""
        return load_verb(cmd_name, self.verbs[cmd_name]) if cmd_name in self.verbs else None

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, VerbCommand | None, list[str]]:
        """Find the verb that the arguments begin with, or fail with the nearest one."""
        found = self.get_command(ctx, args[0])
        if found is None and not ctx.resilient_parsing:
            nearest = get_close_matches(args[0], self.verbs, n=1)
            suggestion = f" Did you mean {nearest[0]!r}?" if nearest else ""
            ctx.fail(f"No such command {args[0]!r}.{suggestion}")
        return args[0] if found else None, found, args[1:]

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,  # noqa: ARG002 - Typer's interface
        standalone_mode: bool = True,
        windows_expand_args: bool = True,  # noqa: ARG002 - Typer's interface
        **extra: object,  # noqa: ARG002 - Typer's interface
    ) -> int:
        """Run one command line and end the process with its exit code.

        Args:
            args: without the program's name; the process's own by default.
            prog_name: the program's name in usage lines.
            complete_var: unused, there is no shell completion.
            standalone_mode: False returns the exit code.
            windows_expand_args: unused, globs are the shell's or a verb's work.
            extra: unused, the context is ours.
        """
        name = prog_name or self.name or "qadb"
        words = list(sys.argv[1:] if args is None else args)
        invocation = Invocation()

        def run() -> int | None:
            with self.make_context(name, words, obj=invocation) as ctx:
                return cast("int | None", self.invoke(ctx))

        with terminating_cleanly():
            code = exit_code_for(words, finish(guard(invocation, run)))
        if standalone_mode:
            sys.exit(code)
        return code


def load_verb(name: str, target: str) -> VerbCommand:
    """Import ``package.module:function`` and build the verb."""
    module_name, function_name = target.split(":")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=VerbCommand)(getattr(import_module(module_name), function_name))
    return cast("VerbCommand", get_command(app))
