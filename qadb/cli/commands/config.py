"""The verb ``config``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.verb import command
from qadb.cli.views.config import config_document, config_text

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext
    from qadb.errors import ExitCode


@command
def config(context: CommandContext) -> ExitCode:
    """Show every setting and where its value came from.

    Secrets are hidden. An option wins over the environment, then .env, then qadb.toml or
    [tool.qadb] in pyproject.toml, then the default.

    Example:
        DATABASE_URL=postgresql://qa@db.example.org/qadb qadb config
    """
    values = context.settings.values
    return context.show(config_document(values), config_text(values))
