"""Paired measurements: two ways to do the same, in turn, in one run.

Machines are noisy, so single times say little: each pair runs back to back and the median of the
ratios is what counts. Nothing here passes or fails.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MEGABYTE = 1_000_000
SAMPLE_SECONDS = 0.02

# Runs the command in a child and prints the child's peak: kilobytes on Linux, bytes on macOS.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak if sys.platform == "darwin" else peak * 1024)
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds of two ways, run in turn.

    Attributes:
        limit: the ratio we promise at most.
    """

    name: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    limit: float

    @property
    def ratio(self) -> float:
        """Median of ours over theirs, pair by pair."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def report(self) -> str:
        """One line for a person."""
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return (
            f"{self.name}: {ours:.3f} s against {theirs:.3f} s, "
            f"ratio {self.ratio:.2f} (at most {self.limit:g})"
        )


def compare(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    limit: float,
    rounds: int,
    before: Callable[[], object] = lambda: None,
) -> Comparison:
    """Time both in turn, after one round that is not counted where there are several.

    Args:
        name: what is compared.
        ours: one way.
        theirs: the other.
        limit: the ratio we promise at most.
        rounds: how many pairs count.
        before: called ahead of each, outside the time.
    """
    if rounds > 1:
        _seconds(ours, before)
        _seconds(theirs, before)
    pairs = [(_seconds(ours, before), _seconds(theirs, before)) for _ in range(rounds)]
    return Comparison(name, tuple(a for a, _ in pairs), tuple(b for _, b in pairs), limit)


def _seconds(action: Callable[[], object], before: Callable[[], object]) -> float:
    before()
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def run_process(
    command: Sequence[str], *, environ: dict[str, str] | None = None
) -> Callable[[], None]:
    """Make an action that runs a command to its end and fails with it."""

    def action() -> None:
        subprocess.run(list(command), check=True, stdout=subprocess.DEVNULL, env=environ)

    return action


def peak_megabytes(command: Sequence[str], *, environ: dict[str, str]) -> int:
    """Run a command to its end; returns its highest resident memory, or a child's if that is more.

    It prints nothing.
    """
    measured = [sys.executable, "-c", MEASURE, *command]
    printed = subprocess.run(measured, check=True, env=environ, capture_output=True).stdout
    return round(int(printed) / MEGABYTE)


def peak_own_megabytes(command: Sequence[str], *, environ: dict[str, str]) -> int:
    """Run a command to its end; returns the most memory that it and its children have together.

    Files that are mapped are left out: the system takes that memory back whenever it likes.
    """
    peak = 0
    with psutil.Popen([*command], env=environ, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, _own_bytes(process))
            time.sleep(SAMPLE_SECONDS)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, [*command])
    return round(peak / MEGABYTE)


def _own_bytes(process: psutil.Process) -> int:
    found = 0
    with suppress(psutil.NoSuchProcess):  # it has just ended
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory = each.memory_info()
                found += memory.rss - getattr(memory, "shared", 0)
    return found
