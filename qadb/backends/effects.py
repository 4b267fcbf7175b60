"""What a statement of a revision does to a table that somebody uses."""

from __future__ import annotations

from dataclasses import dataclass

NO_DEFAULT = "a column that is NOT NULL without a default fails where there are rows"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one statement takes from those who use a table.

    Attributes:
        table: the table; None where it is none's or unknown.
        lock: the engine's name for the lock that it takes; None where others notice nothing.
        blocks: what others wait with while it lasts; empty for nothing.
        rewrites: it writes the whole table anew.
        scans: it reads the whole table, or builds an index over it.
        risks: what may go wrong with it, a sentence each.
    """

    table: str | None
    lock: str | None = None
    blocks: tuple[str, ...] = ()
    rewrites: bool = False
    scans: bool = False
    risks: tuple[str, ...] = ()
