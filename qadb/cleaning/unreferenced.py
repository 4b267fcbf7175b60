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
from qadb.cleaning.subjects import CHUNK_ROWS, candidates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import MetaData

    from qadb.cleaning.holds import HoldReader
    from qadb.cleaning.subjects import Key, Read, Subject


@dataclass(slots=True)
class Unreferenced:
    """What goes of one table.

    Attributes:
        tenants: the keys with their tenants, oldest first within each.
        kept: how many stay, by reason.
    """

    tenants: dict[Key, str] = field(default_factory=dict)
    kept: Counter[str] = field(default_factory=Counter)


class _Edge(NamedTuple):
    """A row that refers to another, both old enough."""

    child: tuple[str, Key]
    parent: tuple[str, Key]


def find_unreferenced(
    read: Read, metadata: MetaData, subjects: Sequence[Subject], holds: HoldReader
) -> dict[str, Unreferenced]:
    """Find what goes of these subjects' tables, by table."""
    found = {
        subject.name: _look_at(read, subject, Keeper(subject, metadata, holds, together=subjects))
        for subject in subjects
    }
    edges = [
        edge for parent in subjects for edge in _edges(read, metadata, parent, subjects, found)
    ]
    _spare(found, edges)
    return found


def _look_at(read: Read, subject: Subject, keeper: Keeper) -> Unreferenced:
    found = Unreferenced()
    for tenant, portion in candidates(read, subject):
        with read() as connection:
            told = keeper.sort_out(connection, [each.key for each in portion])
        found.tenants |= dict.fromkeys(told.going, tenant)
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
    keys = [*found[parent.name].tenants]
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
    staying = [child for child in parents if child[1] not in found[child[0]].tenants]
    while staying:
        for table, key in parents.get(staying.pop(), ()):
            if found[table].tenants.pop(key, None) is not None:
                found[table].kept[REFERENCED] += 1
                staying.append((table, key))
