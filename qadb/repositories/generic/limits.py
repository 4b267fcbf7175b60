"""How many rows a list may be asked for."""

from __future__ import annotations


def require_limit(limit: int) -> int:
    """Return the limit; raises ValueError for less than one row.

    Engines differ in what a LIMIT below zero is: everything, or an error.
    """
    if limit < 1:
        raise ValueError(f"a list has a limit of 1 or more, not {limit}")
    return limit
