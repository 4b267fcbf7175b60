"""What is known of a statement while its SQL is read: its blocks, and what each confines.

A block is one SELECT, INSERT, UPDATE or DELETE; what is named in a block must be confined there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Owned:
    """How the tables of tenants are told from others.

    Attributes:
        columns: the column that names the tenant, by table; names in lower case.
        links: those tables that the ORM joins by itself, without criteria.
        bind: the name of the session's own bind.
    """

    columns: Mapping[str, str]
    links: frozenset[str]
    bind: str


@dataclass(slots=True)
class Scan:
    """What a statement was found to do.

    Attributes:
        unconfined: tables of tenants that it reads without confining them.
        target: the table that it inserts into, updates or deletes from.
        target_is_confined: so are the rows of the target that it changes.
        is_upsert: it may change a row instead of inserting one.
        sets_owner: it assigns the column that names the tenant to a row that is there.
        binds: binds that must hold the tenant for all this to be true.
        problem: what stands in the way of saying anything about it.
    """

    unconfined: set[str] = field(default_factory=set)
    target: str | None = None
    target_is_confined: bool = False
    is_upsert: bool = False
    sets_owner: bool = False
    binds: set[str] = field(default_factory=set)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an equation: a column of what is called so here, or a bind."""

    name: str
    column: str | None


@dataclass(slots=True)
class Block:
    """One SELECT, INSERT, UPDATE or DELETE.

    Attributes:
        verb: its first word; empty before that is read.
        names: the tables of tenants in it, by what they are called there.
        subqueries: those in its FROM, by what they are called there.
        outputs: columns in its list, by their labels.
        ties: what every row must have equal.
        outer: names on the side of an outer join that may be missing.
        narrowed: those of them that WHERE alone confines, which leaves out rows without a match.
        is_empty: its WHERE lets no row through.
    """

    verb: str = ""
    target: str | None = None
    names: dict[str, str] = field(default_factory=dict)
    subqueries: dict[str, Block] = field(default_factory=dict)
    outputs: dict[str, Side] = field(default_factory=dict)
    confined: set[str] = field(default_factory=set)
    ties: list[tuple[Side, Side]] = field(default_factory=list)
    outer: set[str] = field(default_factory=set)
    narrowed: set[str] = field(default_factory=set)
    is_empty: bool = False

    def holds_tenant(self, side: Side, owned: Owned) -> bool:
        """Tell whether a column here can hold nothing but the tenant."""
        if side.name in self.confined:
            return side.column == owned.columns[self.names[side.name]]
        inner = self.subqueries.get(side.name)
        output = None if inner is None else inner.outputs.get(side.column or "")
        return inner is not None and output is not None and inner.holds_tenant(output, owned)


@dataclass(slots=True)
class Group:
    """What stands between two parentheses.

    Attributes:
        is_sure: conditions in it hold for every row of the block.
        named: names that stand in it.
        joined: those that the latest join added.
        criteria: names that the clause confines, unless an OR stands beside.
        open_cases: how many CASEs have not ended; an OR in one is no other way out of the clause.
    """

    block: Block
    is_sure: bool
    clause: str = "rest"
    is_outer_join: bool = False
    named: set[str] = field(default_factory=set)
    joined: set[str] = field(default_factory=set)
    ties: list[tuple[Side, Side]] = field(default_factory=list)
    has_alternatives: bool = False
    criteria: set[str] = field(default_factory=set)
    open_cases: int = 0
    has_or: bool = False

    def end_clause(self) -> None:
        """Keep the clause's criteria and ties where every row must meet them."""
        if self.is_sure and not self.has_or and self.clause in {"on", "where"}:
            if self.clause == "where":
                self.block.narrowed |= self.criteria & self.block.outer - self.block.confined
            self.block.confined |= self.criteria
        self.criteria, self.has_or = set(), False
        if not self.has_alternatives:
            limited = self.clause == "on" and self.is_outer_join
            self.block.ties += [
                tie for tie in self.ties if not limited or tie[0].name in self.joined
            ]
        self.ties, self.has_alternatives = [], False
