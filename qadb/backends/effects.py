"""What a statement of a revision does to a table that somebody uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS_CODE = "runs code that can't be foreseen"
NO_DEFAULT = "a column that is NOT NULL without a default fails where there are rows"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A key that binds two tables.

    Attributes:
        parent: the table that it refers to.
        parent_key: the constraint there that makes the parent's columns a key.
    """

    name: str
    table: str
    columns: Sequence[str]
    parent: str
    parent_columns: Sequence[str]
    parent_key: str


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
