"""Subjects: a rule with the table that it is about, and the rows that are old enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sqlalchemy import and_, func, literal, or_, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection, FromClause, MetaData, Table

    from qadb.cleaning.rules import Rule
    from qadb.retention import Condition

Key: TypeAlias = Any
"""A row's key: a number or a UUID."""

Read: TypeAlias = "Callable[[], AbstractContextManager[Connection]]"
"""Opens a short transaction that reads."""

CHUNK_ROWS = 5000
TENANT = "tenant_id"
KEYS = "keys"


class Candidate(NamedTuple):
    """A row that is old enough.

    Attributes:
        size: about how many rows go with it, itself included.
        place: where in an index its followers lie; those of one place are cheap together.
    """

    key: Key
    age: datetime
    size: int
    place: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule's table and columns.

    Attributes:
        tenant: the only one meant; None: all.
    """

    rule: Rule
    table: Table
    tenant: str | None

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def key(self) -> Column[object]:
        """The key's only column."""
        (key,) = self.table.primary_key
        return key

    @property
    def age(self) -> Column[datetime]:
        """The column that tells a row's age."""
        return self.table.c[self.rule.policy.age_column]

    def expired(self, rows: FromClause | None = None) -> ColumnElement[bool]:
        """The condition of rows that are old enough and may go at all.

        Args:
            rows: the table under another name.
        """
        table = self.table if rows is None else rows
        found = [meets(table, condition) for condition in self.rule.policy.conditions]
        if self.tenant is not None:
            found.append(table.c[TENANT] == self.tenant)
        return and_(table.c[self.age.name] < self.rule.cutoff, *found)

    def tenants(self, connection: Connection) -> Iterator[str]:
        """Every tenant that has rows, by steps along the index: there are few among many rows."""
        if self.tenant is not None:
            yield self.tenant
            return
        column = self.table.c[TENANT]
        query = select(func.min(column))
        found = connection.scalar(query)
        while found is not None:
            yield found
            found = connection.scalar(query.where(column > found))


def make_subject(rule: Rule, metadata: MetaData, tenant: str | None) -> Subject:
    """Look the rule's table up."""
    return Subject(rule, metadata.tables[rule.policy.table], tenant)


def meets(table: FromClause, condition: Condition) -> ColumnElement[bool]:
    """A condition as SQL."""
    column = table.c[condition.column]
    values = [value for value in condition.values if value is not None]
    alternatives = [column.in_(values)] if values else []
    if None in condition.values:
        alternatives.append(column.is_(None))
    met = or_(*alternatives)
    return ~met if condition.is_negated else met


def count_expired(connection: Connection, subject: Subject) -> int:
    """How many rows are old enough."""
    query = select(func.count()).select_from(subject.table).where(subject.expired())
    return connection.scalar(query) or 0


def candidates(
    read: Read,
    subject: Subject,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    with_places: bool = False,
) -> Iterator[tuple[str, Sequence[Candidate]]]:
    """Yield what is old enough, by tenant, oldest first, thousands at a time.

    Each portion is read when it is asked for: what was deleted before costs nothing.

    Args:
        read: opens a transaction.
        subject: whose rows.
        since: none that are older.
        until: only those that are older.
        with_places: look up where their followers lie.
    """
    place = _place(subject) if with_places else literal(0)
    with read() as connection:
        tenants = list(subject.tenants(connection))
    for tenant in tenants:
        last: Candidate | None = None
        while True:
            with read() as connection:
                found = _read_portion(connection, subject, tenant, place, last, since, until)
            if found:
                yield tenant, found
            if len(found) < CHUNK_ROWS:
                break
            last = found[-1]


def _read_portion(
    connection: Connection,
    subject: Subject,
    tenant: str,
    place: ColumnElement[int],
    last: Candidate | None,
    since: datetime | None,
    until: datetime | None,
) -> list[Candidate]:
    key, age = subject.key, subject.age
    name = subject.rule.policy.size_column
    size: ColumnElement[int] = literal(1) if name is None else subject.table.c[name] + 1
    query = (
        select(key, age, size, place)
        .where(subject.table.c[TENANT] == tenant, subject.expired())
        .order_by(age, key)
        .limit(CHUNK_ROWS)
    )
    if since is not None:
        query = query.where(age >= since)
    if until is not None:
        query = query.where(age < until)
    if last is not None:
        query = query.where(age >= last.age, or_(age > last.age, key > last.key))
    return [Candidate(*row) for row in connection.execute(query)]


def _place(subject: Subject) -> ColumnElement[int]:
    metadata: MetaData = subject.table.metadata
    for follower in subject.rule.policy.followers:
        if follower.gathered_by is not None:
            table = metadata.tables[follower.table]
            smallest = select(func.min(table.c[follower.gathered_by]))
            query = smallest.where(table.c[follower.column] == subject.key)
            return func.coalesce(query.scalar_subquery(), 0)
    return literal(0)
