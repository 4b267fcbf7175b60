"""Keeping: which of the rows that are old enough stay all the same, and why.

The same questions are asked by a dry run and, once more, inside every transaction that deletes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKeyConstraint, case, exists, func, literal, null, select

from qadb.backends.listed_keys import is_listed
from qadb.cleaning.subjects import KEYS, meets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Column, ColumnElement, Connection, MetaData, Select, Table

    from qadb.cleaning.holds import HoldReader
    from qadb.cleaning.subjects import Key, Subject

HOLD, REFERENCED, KEEP_LAST = "hold", "referenced", "keep_last"
OWNER_ONLY = "owner_only"


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows told apart.

    Attributes:
        going: keys in the order in which they were given.
        kept: how many rows stay, by reason; each counts for the first that there is.
    """

    going: list[Key] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)


class Keeper:
    """Tells the rows of one subject apart.

    Args:
        subject: whose rows.
        metadata: all tables.
        holds: reads the holds.
        last: keys that are among the last of their group.
        together: whose rows may refer to each other: those that are old enough go as well.
    """

    def __init__(
        self,
        subject: Subject,
        metadata: MetaData,
        holds: HoldReader,
        last: AbstractSet[Key] = frozenset(),
        together: Sequence[Subject] = (),
    ) -> None:
        self._subject = subject
        self._holds = holds
        self._last = last
        self._held_columns = holds.columns(subject.table)
        reasons = [*_reasons(subject, metadata, {each.name: each for each in together})]
        self._reasons = [reason for reason, _ in reasons]
        cases = [(condition, literal(number)) for number, (_, condition) in enumerate(reasons)]
        self._queries: dict[tuple[str, ...], Select[*tuple[Any, ...]]] = {}
        self._reason: ColumnElement[Any] = case(*cases) if cases else null()

    def sort_out(self, connection: Connection, keys: Sequence[Key]) -> Sorted:
        """Tell which of these rows go; those that are gone or not old any more count as neither."""
        held = self._holds.read(connection)
        watched = [
            (self._held_columns[name], held[name]) for name in held if name in self._held_columns
        ]
        query = self._query(tuple(held))
        found = Sorted()
        by_key = {row[0]: row for row in connection.execute(query, {KEYS: keys})}
        for key in keys:
            row = by_key.get(key)
            if row is None:
                continue
            if any(value in values for value, (_, values) in zip(row[2:], watched, strict=True)):
                found.kept[HOLD] += 1
            elif row[1] is not None:
                found.kept[self._reasons[row[1]]] += 1
            elif key in self._last:
                found.kept[KEEP_LAST] += 1
            else:
                found.going.append(key)
        return found

    def _query(self, held: tuple[str, ...]) -> Select[*tuple[Any, ...]]:
        """What tells the rows apart; made once for the holds that there are."""
        if held not in self._queries:
            columns = [self._held_columns[name] for name in held if name in self._held_columns]
            self._queries[held] = select(self._subject.key, self._reason, *columns).where(
                is_listed(self._subject.key, KEYS), self._subject.expired()
            )
        return self._queries[held]


def find_last(connection: Connection, subject: Subject) -> frozenset[Key]:
    """Keys of what is old enough and among the last of its group."""
    rule, table = subject.rule, subject.table
    if not rule.keep_last:
        return frozenset()
    groups = [table.c[name] for name in rule.policy.groups]
    order = (subject.age.desc(), subject.key.desc())
    number = func.row_number().over(partition_by=groups, order_by=order).label("number")
    numbered = select(subject.key.label("key"), subject.age.label("age"), number)
    if subject.tenant is not None:
        numbered = numbered.where(table.c["tenant_id"] == subject.tenant)
    each = numbered.subquery()
    query = select(each.c.key).where(each.c.number <= rule.keep_last, each.c.age < rule.cutoff)
    return frozenset(connection.scalars(query))


def referring_columns(
    metadata: MetaData, table: Table, *, but: AbstractSet[str] = frozenset()
) -> Iterator[Column[object]]:
    """Columns of all tables that refer to the table's key, without those of the tables named."""
    for each in metadata.sorted_tables:
        for constraint in each.constraints:
            if (
                isinstance(constraint, ForeignKeyConstraint)
                and constraint.referred_table is table
                and each.name not in but
            ):
                (element,) = constraint.elements
                yield element.parent


def _reasons(
    subject: Subject, metadata: MetaData, together: Mapping[str, Subject]
) -> Iterator[tuple[str, ColumnElement[bool]]]:
    policy, table, key = subject.rule.policy, subject.table, subject.key
    for flag in policy.flags:
        yield flag.reason, table.c[flag.column]
    for reference in policy.references:
        other = metadata.tables[reference.table]
        met = [meets(other, condition) for condition in reference.conditions]
        yield reference.reason, exists().where(other.c[reference.column] == key, *met)
    if policy.is_soft or policy.spares_referenced:
        followers = {follower.table for follower in policy.followers}
        for column in referring_columns(metadata, table, but=followers):
            yield REFERENCED, _refers(column, subject, together.get(column.table.name))


def _refers(column: Column[object], subject: Subject, going: Subject | None) -> ColumnElement[bool]:
    """A row refers to the subject's; one of a table that goes as well counts where it is young."""
    other = column.table.alias()  # it may be the subject's own
    met = exists().where(other.c[column.name] == subject.key)
    if going is None:
        return met
    is_old = case((going.expired(other), 1), else_=0)  # neither true nor false where it has no age
    return met.where(is_old == 0)
