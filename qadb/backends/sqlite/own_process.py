"""Starts a script of ours in a process of its own.

Opening and closing a database's file beside SQLite would drop the locks of the process that does.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import ExitStack


def start_script(script: str, *arguments: str, stack: ExitStack) -> subprocess.Popen[bytes] | None:
    """Start a script, its input and output piped to us; it is killed when the stack unwinds.

    Returns:
        None where there is no interpreter of its own, or no room for one more process.
    """
    if not sys.executable:
        return None
    try:
        process = subprocess.Popen(  # noqa: S603 - our own file and words, no shell
            (sys.executable, "-I", "-S", script, *arguments),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    stack.enter_context(process)
    stack.callback(process.kill)
    return process
