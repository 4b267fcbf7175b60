"""What a cleanup does, or would do, table by table and policy by policy."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.backends.base_cleanup import Space
    from qadb.cleaning.rules import Rule
    from qadb.database import Database


@dataclass(frozen=True, slots=True)
class TableCleanup:
    """What became of one table's rows.

    Attributes:
        deleted: how many are gone, or would be.
        kept: how many are old enough and stay, by reason; only for the table that a policy names.
    """

    deleted: int
    kept: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PolicyOutcome:
    """One policy and what it takes.

    Attributes:
        tables: rows by table, those that follow included.
        freed_bytes: about what they take; None where nobody can tell.
    """

    rule: Rule
    tables: Mapping[str, int]
    kept: Mapping[str, int]
    freed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What went and what stayed, or would.

    Attributes:
        complete: everything that was to go is gone; False where time ran out.
        tables: every table that a policy in force is about.
        freed_bytes: what the system got back; in a dry run an estimate of what the rows take, None
            where nobody can tell.
        archived: files that hold what went.
        policies: the same by policy, in the order in which they are carried out; those that are
            not in force are there too.
        space: how the room was looked after; None in a dry run.
    """

    dry_run: bool
    complete: bool
    tables: Mapping[str, TableCleanup]
    freed_bytes: int | None
    archived: tuple[Path, ...]
    policies: tuple[PolicyOutcome, ...]
    space: Space | None = None

    @property
    def deleted(self) -> int:
        """Rows in all."""
        return sum(table.deleted for table in self.tables.values())

    @property
    def kept(self) -> Mapping[str, int]:
        """Rows that stay, by reason, over all tables."""
        counts: Counter[str] = Counter()
        for table in self.tables.values():
            counts.update(table.kept)
        return counts


@dataclass(slots=True)
class Tally:
    """Counts while a cleanup goes on."""

    deleted: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    kept: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, rule: Rule, deleted: Mapping[str, int], kept: Mapping[str, int]) -> None:
        """Count what one rule took and left."""
        self.deleted[rule.policy.table].update(deleted)
        self.kept[rule.policy.table].update(kept)

    def outcomes(self, rules: Sequence[Rule]) -> tuple[PolicyOutcome, ...]:
        """The counts by policy."""
        return tuple(
            PolicyOutcome(
                rule,
                {name: self.deleted[rule.policy.table][name] for name in tables_of(rule)},
                dict(self.kept[rule.policy.table]),
            )
            for rule in rules
        )


def tables_of(rule: Rule) -> tuple[str, ...]:
    """The policy's table and those that follow it."""
    return (rule.policy.table, *(follower.table for follower in rule.policy.followers))


def by_table(outcomes: Sequence[PolicyOutcome]) -> dict[str, TableCleanup]:
    """The counts of policies in force by table."""
    return {
        name: TableCleanup(rows, outcome.kept if name == outcome.rule.policy.table else {})
        for outcome in outcomes
        if outcome.rule.cutoff is not None
        for name, rows in outcome.tables.items()
    }


def estimate_bytes(
    connection: Connection, database: Database, outcomes: Sequence[PolicyOutcome]
) -> dict[str, int | None]:
    """About what the rows of each table take that would go, indexes included."""
    names = sorted({name for each in outcomes for name, rows in each.tables.items() if rows})
    sizes = database.backend.sizes.table_sizes(connection, names, exact=False)
    deleted: Counter[str] = Counter()
    for outcome in outcomes:
        deleted.update(outcome.tables)
    return {
        each.name: None
        if each.size_bytes is None
        else round(each.size_bytes * min(1.0, deleted[each.name] / max(each.rows, 1)))
        for each in sizes
    }
