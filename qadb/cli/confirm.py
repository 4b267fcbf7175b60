"""Confirmation: nothing is destroyed by surprise.

Owns when somebody is asked and what an answer means. What will change is the command's to say,
before it asks.
"""

from __future__ import annotations

import sys
from typing import ClassVar

from qadb.cli import streams
from qadb.cli.text import one_line
from qadb.errors import ConfirmationRequired, QadbError

_YES = frozenset({"y", "yes"})


class Declined(QadbError):
    """Somebody was asked and did not say yes; nothing was changed."""

    code: ClassVar[str] = "declined"


def confirm(question: str, *, may_ask: bool = True) -> None:
    """Ask on the terminal and return when the answer is yes.

    Raises:
        ConfirmationRequired: there is no terminal to ask on, or nobody may be asked.
        Declined: the answer was anything else.
    """
    if not (may_ask and _can_ask()):
        raise ConfirmationRequired(
            f"{question} Nobody can be asked here, so nothing was changed.",
            hint="Look at the change with --dry-run, then give --yes.",
        )
    # Not typer.confirm: it writes a blank to stdout, which belongs to the answer.
    streams.write("stderr", f"{one_line(question)} [y/N] ")
    if sys.stdin.readline().strip().lower() not in _YES:
        raise Declined("Not confirmed; nothing was changed.")


def _can_ask() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty() and streams.is_terminal("stderr")
    except ValueError:  # closed
        return False
