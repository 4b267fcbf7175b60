"""Parameters that several verbs have: durations, confirmation."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from qadb.cli.coercion import parse_duration

Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="DURATION",
        parser=parse_duration,
        help="Wait this long for the server to come up, such as 30 or 2m.",
        show_default=False,
    ),
]
LockTimeout = Annotated[
    float,
    typer.Option(
        "--lock-timeout",
        metavar="DURATION",
        parser=parse_duration,
        help="Wait this long for a table that somebody uses, ten times over (PostgreSQL).",
    ),
]
WaitLock = Annotated[
    float,
    typer.Option(
        "--wait-lock",
        metavar="DURATION",
        parser=parse_duration,
        help="Wait this long for another operation of qadb to finish.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Backup = Annotated[
    bool | None,
    typer.Option(
        "--backup/--no-backup",
        help="Make a verified backup first; by default on SQLite, where it is cheap.",
        show_default=False,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", min=1, metavar="N", help="Use this many cores; by default all, up to four."
    ),
]
CheckFormat = Annotated[
    Literal["text", "json", "github", "junit"],
    typer.Option(
        "--format",
        help="How to show it: text, json (as --json), github (annotations) or junit (XML).",
    ),
]
