"""Checks: what a check says of itself, and what it finds.

Low in the house, so that a schema can bring checks of its own. Running them is the work of
`qadb.health.runner`; all there are stand in `qadb.health.catalogue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

Severity: TypeAlias = Literal["warn", "crit"]
Judgement: TypeAlias = Literal["ok", "warn", "crit"]
Status: TypeAlias = Literal["ok", "warn", "crit", "unknown", "skipped", "not_run"]
Group: TypeAlias = Literal["schema", "data", "engine", "backups"]
Cost: TypeAlias = Literal["cheap", "moderate", "costly", "deep"]

ALL_ENGINES = frozenset({"postgresql", "sqlite"})


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a value is a warning, and from where on it is critical.

    Attributes:
        unit: of the value, as Nagios and people write it: ``s``, ``B``, ``%``, or what is counted.
        warn: reaching it is a warning; None: never.
        crit: reaching it is critical; None: never.
        source: who recommends the two.
        lower_is_worse: the value falls towards the limits.
    """

    unit: str
    warn: float | None
    crit: float | None
    source: str
    lower_is_worse: bool = False

    def judge(self, value: float) -> Judgement:
        """Tell what a value is."""
        if self._reaches(value, self.crit):
            return "crit"
        return "warn" if self._reaches(value, self.warn) else "ok"

    def _reaches(self, value: float, limit: float | None) -> bool:
        if limit is None:
            return False
        return value <= limit if self.lower_is_worse else value >= limit


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        status: ``unknown`` where a right, an extension or enough figures are missing; ``skipped``
            where there is nothing to ask, and the message says why.
        message: one sentence.
        value: the figure that was judged, in the limits' unit; None where there is none.
        details: a line each, what the sentence counts.
        hint: the command that mends it, or the grant that is missing; None: the check's own.
    """

    status: Literal["ok", "warn", "crit", "unknown", "skipped"]
    message: str
    value: float | None = None
    details: tuple[str, ...] = ()
    hint: str | None = None


class Asked(Protocol):
    """What every check is given; those of `qadb.health` get more."""

    @property
    def connection(self) -> Connection:
        """A connection in a read-only transaction of the check's own."""
        ...

    @property
    def limits(self) -> Limits:
        """The limits in effect."""
        ...

    @property
    def now(self) -> datetime:
        """When the run began, UTC."""
        ...


C_contra = TypeVar("C_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Check(Generic[C_contra]):
    """One question to a database. Adding a check is adding one of these to a list.

    Attributes:
        id: stable: ``QADB-`` with a letter for what it looks at and a number.
        title: short, as a heading.
        group: what it belongs to, for ``--only`` and ``--skip``.
        severity: the worst that it reports.
        limits: the defaults; a question with yes or no has the limit 1 and counts what is wrong.
        cost: cheap ones are run first; deep ones only when asked for.
        why: why it matters, a sentence or two.
        remedy: the command that mends what it finds.
        probe: asks the question; raises what the database raises.
        facts: names of the engine's own statements that it runs.
        reads: what it reads beside those: SQL, or a sentence.
        engines: where it makes sense.
        needs_tables: it reads the schema's own tables, so there is nothing to ask before they are
            there.
        finds_damage: that the database can't be read is what it looks for; to others it only
            means that nobody can tell.
    """

    id: str
    title: str
    group: Group
    severity: Severity
    limits: Limits
    cost: Cost
    why: str
    remedy: str
    probe: Callable[[C_contra], Finding]
    facts: tuple[str, ...] = ()
    reads: str = ""
    engines: frozenset[str] = ALL_ENGINES
    needs_tables: bool = False
    finds_damage: bool = False


def count_of(count: int, one: str, several: str) -> str:
    """A number with what it counts, as a sentence begins: ``No run is``, ``2 runs are``."""
    return f"{count or 'No'} {one if count <= 1 else several}"


def some_or_none(limit: float = 1) -> Limits:
    """Limits of a question with yes or no, by our own judgement: one is too many."""
    return Limits("", limit, None, "a single one is wrong")
