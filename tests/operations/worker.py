"""A child that runs operations and may be killed, as tests see it: see ``crash_child``."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Self

from tests.support.program import CHECKOUT

KILLS = int(os.environ.get("QADB_TEST_KILLS", "4"))  # of an operation, beside those at a step
HANDED_ON = ("PATH", "TMPDIR")  # a test's own, for programs and files on the way


class Worker:
    """The child that forks for each operation."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.operations.crash_child"]
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, operation: str, *words: str, kill_after_seconds: float | None = None) -> int:
        """Return the exit code, negative for a signal; the words are the URL and a path."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        url, path, *_ = (*words, None)
        environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        self._process.stdin.write(f"{json.dumps([operation, url, path, environment])}\n")
        self._process.stdin.flush()
        process_id = int(self._process.stdout.readline())
        if kill_after_seconds is not None:
            time.sleep(kill_after_seconds)
            os.kill(process_id, signal.SIGKILL)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def time(self, operation: str, *words: str) -> float:
        """How many seconds a whole run takes."""
        started = time.monotonic()
        assert self.run(operation, *words) == 0
        return time.monotonic() - started


def moments(duration_seconds: float, kills: int) -> list[float]:
    """Moments to kill at, spread over the work and each a bit to the side."""
    step = duration_seconds / kills
    return [step * (index + random.random()) for index in range(kills)]
