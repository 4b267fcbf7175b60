"""Exit codes as monitoring plugins have them, for the one format that is a plugin's.

https://nagios-plugins.org/doc/guidelines.html A plugin ends with 0 to 3 whatever happens, so a
command line that asks for it is recognised by its words: it may be too wrong to be parsed.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from qadb.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERB = "health"
_FORMAT = "nagios"


class NagiosCode(IntEnum):
    """What a plugin ends with."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def exit_code_for(words: Sequence[str], code: int) -> int:
    """Return the process's exit code for a command line that ended with ``code``."""
    if isinstance(code, NagiosCode) or not _asks_for_plugin(words):
        return code
    if code == ExitCode.UNREACHABLE:
        return NagiosCode.CRITICAL
    return NagiosCode.OK if code == ExitCode.OK else NagiosCode.UNKNOWN


def _asks_for_plugin(words: Sequence[str]) -> bool:
    asks = f"--format={_FORMAT}" in words or ("--format", _FORMAT) in pairwise(words)
    return asks and _VERB in words
