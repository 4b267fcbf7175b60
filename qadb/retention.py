"""Retention: what a schema says of how long rows stay, as plain data.

Owns the words in which that is said. Which rows they fit is found by `qadb.cleaning`, and nothing
here knows a table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """A column has one of these values, or none of them; None stands for NULL."""

    column: str
    values: tuple[object, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Follower:
    """A table whose rows go with the row that their column names.

    Attributes:
        gathered_by: a column that an index orders them by across those rows: of two rows whose
            followers have the same values there, what follows lies on the same pages.
    """

    table: str
    column: str
    gathered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean column that keeps its row."""

    reason: str
    column: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows of another table that keep what their column names.

    Attributes:
        conditions: which of them do; all must hold.
    """

    reason: str
    table: str
    column: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """How long the rows of one table stay.

    Attributes:
        table: one with a key of one column and a tenant.
        age_column: the moment that a row's age counts from; a row without it stays.
        days: the age at which it goes; None keeps it for ever.
        is_soft: the age counts from a soft deletion, and what anything refers to stays.
        spares_referenced: what a row of any other table refers to stays.
        conditions: which rows go at all; all must hold.
        keep_last: the newest of each group that stay, however old.
        groups: the columns that make a group.
        followers: what goes with a row, in the order of deletion.
        flags: columns that keep a row.
        references: rows of other tables that keep it.
        size_column: about how many rows follow one, where a column tells.
        obeys_days: the option ``--days`` is meant for it without naming it.
        is_log: only an owner's cleanup may take its rows, and says so to the database.
    """

    table: str
    age_column: str
    days: int | None
    is_soft: bool = False
    spares_referenced: bool = False
    conditions: tuple[Condition, ...] = ()
    keep_last: int = 0
    groups: tuple[str, ...] = ()
    followers: tuple[Follower, ...] = ()
    flags: tuple[Flag, ...] = ()
    references: tuple[Reference, ...] = ()
    size_column: str | None = None
    obeys_days: bool = False
    is_log: bool = False

    @property
    def is_independent(self) -> bool:
        """Whether a row goes does not depend on another of its table being gone."""
        return not (self.is_soft or self.spares_referenced)


@dataclass(frozen=True, slots=True)
class HoldScope:
    """What holds of one scope are about.

    Attributes:
        scope: the scope's word in the table of holds.
        column: how other tables refer to it.
        table: where it is kept; None where the column holds its only name.
        name_column: a name by which a hold may call it too, unique within a tenant.
    """

    scope: str
    column: str
    table: str | None = None
    name_column: str | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """The table of what must stay whatever a policy says, by scope and key."""

    table: str
    scopes: tuple[HoldScope, ...]
    scope_column: str = "scope"
    key_column: str = "scope_id"
    released_column: str = "released_at"


@dataclass(frozen=True, slots=True)
class Retention:
    """All policies of a schema, in the order in which they are carried out.

    A policy that spares referenced rows stands before those of the tables that refer to them: so a
    dry run, which deletes nothing, finds what the real one does. Soft ones stand at the beginning,
    those of what refers to others first: they are looked at together.

    Attributes:
        log_table: where each deletion is recorded; None records none.
    """

    policies: tuple[Policy, ...] = ()
    holds: Holds | None = None
    log_table: str | None = None


NOTHING_GOES = Retention()
