"""Verbs that only tests know: each goes one way through the command line's frame."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qadb.cli.blocks import Block, Heading, Line
from qadb.cli.coercion import parse_duration
from qadb.cli.verb import command
from qadb.errors import DatabaseUnreachable, ExitCode
from qadb.progress import ProgressEvent

if TYPE_CHECKING:
    from qadb.cli.context import CommandContext

CANARY = "c@n:a/r%y "
CANARY_URL = "postgresql://qa:c%40n%3Aa%2Fr%25y%20@db.example.org/qadb"

NAMES = """
    show fail crash leak usage abort interrupt pipe sleep big log ask move typed warn exits opens
"""
VERBS = {name: f"tests.cli.verbs:{name}" for name in NAMES.split()}


class Level(StrEnum):
    """A choice of the verb ``typed``."""

    LOW = "low"
    HIGH = "high"


def _blocks(*lines: str) -> list[Block]:
    return [Line(line) for line in lines]


@command
def show(context: CommandContext) -> ExitCode:
    """Show the shared options.

    Example:
        qadb show --tenant acme
    """
    options = context.options
    document = {
        "tenant": options.tenant,
        "verbose": options.verbose,
        "debug": options.debug,
        "log_level": context.settings.log_level,
        "database_url": options.database_url,
    }
    return context.show(document, [Heading("Shown"), *_blocks(f"tenant {options.tenant}")])


@command
def fail(context: CommandContext) -> ExitCode:
    """Fail as the database does."""
    raise DatabaseUnreachable(
        f"Could not reach {context.settings.database_url.shown}.", hint="Start the server."
    )


@command
def crash(context: CommandContext, text: Annotated[str, typer.Option()] = "boom") -> None:
    """Fail in a way that nobody thought of."""
    raise ValueError(text)


@command
def leak(context: CommandContext) -> None:
    """Fail with a secret in the message and in its cause."""
    try:
        Path(f"/connecting with password {CANARY!r} and {CANARY}").stat()
    except OSError as error:
        raise DatabaseUnreachable(
            f"Refused: {CANARY} at {CANARY_URL}", hint=f"Not {CANARY}."
        ) from error


@command
def usage(context: CommandContext) -> None:
    """Refuse a combination of options."""
    raise typer.BadParameter("REV and --steps exclude each other")


@command
def abort(context: CommandContext) -> None:
    """Give up."""
    raise typer.Abort


@command
def interrupt(context: CommandContext) -> None:
    """Be interrupted."""
    raise KeyboardInterrupt


@command
def pipe(context: CommandContext) -> None:
    """Break a pipe that is not the output."""
    raise BrokenPipeError(32, "Broken pipe")


@command
def sleep(
    context: CommandContext, *, again: Annotated[bool, typer.Option("--again")] = False
) -> None:
    """Say that work has begun, work for long, and tidy up (while told to end once more)."""
    try:
        context.output.warn("ready")
        time.sleep(60)
    finally:
        if again:
            os.kill(os.getpid(), signal.SIGTERM)
        context.output.warn("tidied")


@command
def big(
    context: CommandContext, *, lines: Annotated[int, typer.Option(min=1)] = 100_000
) -> ExitCode:
    """Show much, and find that a check did not pass."""
    text = _blocks(*[f"line {number}" for number in range(lines)])
    return context.show({"lines": lines}, text, exit_code=ExitCode.CHECK_FAILED)


@command
def log(context: CommandContext) -> ExitCode:
    """Log at every level."""
    logger = logging.getLogger("qadb.tests")
    for level in ("debug", "info", "warning"):
        logger.log(logging.getLevelNamesMapping()[level.upper()], "%s with %s", level, CANARY)
    return context.show({}, _blocks("logged"))


@command
def ask(
    context: CommandContext, *, yes: Annotated[bool, typer.Option("--yes")] = False
) -> ExitCode:
    """Ask before something is destroyed."""
    context.confirm("Drop everything?", yes=yes)
    return context.show({"dropped": True}, _blocks("dropped"))


@command
def move(context: CommandContext, *, seconds: Annotated[float, typer.Option()] = 0.0) -> ExitCode:
    """Report progress, with the given time between the first event and the last."""
    with context.progress() as progress:
        for done in (1, 2, 3):
            progress(ProgressEvent("copying [bold]", done * 1_000_000, 3_000_000, "bytes"))
            time.sleep(seconds / 3)
    return context.show({}, _blocks("moved"))


@command
def typed(
    context: CommandContext,
    files: Annotated[list[Path], typer.Argument()],
    *,
    steps: Annotated[int, typer.Option(min=1, max=9)] = 1,
    ratio: Annotated[float | None, typer.Option()] = None,
    kind: Annotated[Literal["junit", "auto"], typer.Option()] = "auto",
    level: Annotated[Level, typer.Option()] = Level.LOW,
    wait: Annotated[float, typer.Option(parser=parse_duration)] = 30,
    name: Annotated[list[str] | None, typer.Option()] = None,
) -> ExitCode:
    """Show values of every type that verbs use."""
    document = {
        "files": files,
        "steps": steps,
        "ratio": ratio,
        "kind": kind,
        "level": level,
        "is_level": isinstance(level, Level),
        "wait": wait,
        "name": name,
    }
    return context.show(document, _blocks("typed"))


@command
def warn(context: CommandContext) -> ExitCode:
    """Say something beside the answer."""
    context.output.note("a note")
    context.output.warn("a warning")
    return context.show({}, _blocks("an answer"))


@command
def exits(context: CommandContext, *, code: Annotated[int, typer.Option()] = 0) -> ExitCode:
    """Answer with an exit code."""
    return context.show({"pid": os.getpid(), "file": sys.argv[0]}, [], exit_code=ExitCode(code))


@command
def opens(context: CommandContext) -> ExitCode:
    """Open the database and ask for its version."""
    database = context.open_database()
    with database.connect(read_only=True):
        return context.show({}, _blocks(database.url.shown))
