"""Softly deleted rows that nothing refers to, but what goes with them.

They may refer to each other, in a circle too: what only refers to them from among themselves keeps
nothing. Rows marked long ago are few, so all are looked at together before the first one goes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from qadb.cleaning.keeping import REFERENCED, Keeper, referring_columns
from qadb.cleaning.subjects import CHUNK_ROWS, Candidate, candidates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import MetaData

    from qadb.cleaning.holds import HoldReader
    from qadb.cleaning.subjects import Key, Read, Subject


@dataclass(slots=True)
class Unreferenced:
    """What goes of one table.

    Attributes:
        owners: tenant and age by key.
        kept: how many stay, by reason.
    """

    owners: dict[Key, tuple[str, datetime]] = field(default_factory=dict)
    kept: Counter[str] = field(default_factory=Counter)

    def by_tenant(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[str, Sequence[Candidate]]]:
        """What goes, as `candidates` tells it."""
        for tenant in sorted({tenant for tenant, _ in self.owners.values()}):
            found = [
                Candidate(key, age, 1)
                for key, (owner, age) in self.owners.items()
                if owner == tenant and (since is None or age >= since)
                if until is None or age < until
            ]
            if found:
                yield tenant, found


class _Edge(NamedTuple):
    """A row that refers to another, both old enough."""

    child: tuple[str, Key]
    parent: tuple[str, Key]


def find_unreferenced(
    read: Read, metadata: MetaData, subjects: Sequence[Subject], holds: HoldReader
) -> dict[str, Unreferenced]:
    """Find what goes of these subjects' tables, by table."""

    def make_keeper(subject: Subject) -> Keeper:
        return Keeper(subject, metadata, holds, together=subjects)

    found = {subject.name: _look_at(read, subject, make_keeper) for subject in subjects}
    edges = [
        edge for parent in subjects for edge in _edges(read, metadata, parent, subjects, found)
    ]
    _spare(found, edges)
    return found


def _look_at(
    read: Read, subject: Subject, make_keeper: Callable[[Subject], Keeper]
) -> Unreferenced:
    found = Unreferenced()
    keeper: Keeper | None = None
    for tenant, portion in candidates(read, subject):
        keeper = keeper or make_keeper(subject)  # of most tables, nothing is a candidate
        with read() as connection:
            told = keeper.sort_out(connection, [each.key for each in portion])
        ages = {each.key: each.age for each in portion}
        found.owners |= {key: (tenant, ages[key]) for key in told.going}
        found.kept += told.kept
    return found


def _edges(
    read: Read,
    metadata: MetaData,
    parent: Subject,
    subjects: Sequence[Subject],
    found: dict[str, Unreferenced],
) -> Iterator[_Edge]:
    by_name = {subject.name: subject for subject in subjects}
    followers = {follower.table for follower in parent.rule.policy.followers}
    keys = [*found[parent.name].owners]
    for column in referring_columns(metadata, parent.table, but=followers):
        child = by_name.get(column.table.name)
        if child is None:
            continue
        for start in range(0, len(keys), CHUNK_ROWS):
            query = select(child.key, column).where(
                child.expired(), column.in_(keys[start : start + CHUNK_ROWS])
            )
            with read() as connection:
                rows = connection.execute(query).all()
            yield from (_Edge((child.name, row[0]), (parent.name, row[1])) for row in rows)


def _spare(found: dict[str, Unreferenced], edges: Sequence[_Edge]) -> None:
    """Let what stays keep what it refers to, and that again, until nothing more does."""
    parents = defaultdict(list)
    for edge in edges:
        parents[edge.child].append(edge.parent)
    staying = [child for child in parents if child[1] not in found[child[0]].owners]
    while staying:
        for table, key in parents.get(staying.pop(), ()):
            if found[table].owners.pop(key, None) is not None:
                found[table].kept[REFERENCED] += 1
                staying.append((table, key))
