"""Checks as GitHub's workflow commands, which annotate a run.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qadb.cli.views.checks import Check, Outcome

_LEVELS: dict[Outcome, str] = {
    "passed": "notice",
    "failed": "error",
    "unknown": "warning",
    "skipped": "notice",
}


def github_commands(checks: Iterable[Check]) -> str:
    """Return a line for each message of each check."""
    lines = [
        f"::{_LEVELS[check.outcome]} title={_property(f'qadb {check.name}')}::{_data(message)}"
        for check in checks
        for message in check.messages
    ]
    return "".join(f"{line}\n" for line in lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
