"""A terminal for tests: runs a program on a pseudo-terminal, stdout and stderr still apart."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person saw, and how the program ended."""

    exit_code: int
    stdout: str
    stderr: str


class _Screen:
    """One pseudo-terminal, read until its program has ended."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        attributes = termios.tcgetattr(self.slave)
        attributes[1] &= ~termios.OPOST  # line breaks stay as they are written
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self._seen = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the other end is closed
            while piece := os.read(self._master, 65536):
                self._seen += piece

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> str:
        os.close(self.slave)
        self._reader.join(timeout=10)
        os.close(self._master)
        return self._seen.decode()


def run_on_terminal(command: Sequence[str], *, typed: str = "") -> Seen:
    """Run a program whose stdin and stderr are one terminal and whose stdout is another."""
    stdout, stderr = _Screen(), _Screen()
    if typed:
        stderr.type(typed)
    process = subprocess.run(
        command,
        stdin=stderr.slave,
        stdout=stdout.slave,
        stderr=stderr.slave,
        check=False,
        timeout=30,
    )
    return Seen(process.returncode, stdout.close(), stderr.close())
