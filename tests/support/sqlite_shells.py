"""The processes of SQLite's shell that a test, or what it has started, is at work with."""

from __future__ import annotations

import psutil


def find_shells(owner: int | None = None) -> list[psutil.Process]:
    """Return those of a process that have not ended; of this one if None."""
    return [each for each in psutil.Process(owner).children() if each.name() == "sqlite3_shell"]
