"""The processes of SQLite's shell that a test has started."""

from __future__ import annotations

import psutil


def find_shells() -> list[psutil.Process]:
    """Return those that have not ended."""
    return [each for each in psutil.Process().children() if each.name() == "sqlite3_shell"]
