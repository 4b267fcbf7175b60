"""How many rows a list may be asked for."""

from __future__ import annotations


def require_limit(limit: int, *, least: int = 1) -> int:
    """Return the limit; raises ValueError for less than it may be.

    Engines differ in what a LIMIT below zero is: everything, or an error.
    """
    if limit < least:
        raise ValueError(f"a list has a limit of {least} or more, not {limit}")
    return limit
