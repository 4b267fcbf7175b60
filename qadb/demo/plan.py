"""What the demo is made from: seed, scale and moment, and the ways that rooms draw from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from qadb.models.types import require_aware

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence

    from qadb.demo.companies import Company
    from qadb.models import Base

Row: TypeAlias = dict[str, object]

DAYS = 30
DEFAULT_SEED = 1
DEFAULT_SCALE = 1


class DemoPlan:
    """Parameters of one demo.

    Args:
        seed: the same seed makes the same rows.
        scale: multiplies tests, runs and what hangs on them.
        now: what all times count back from, aware.

    Raises:
        ValueError: the scale is below 1, or the moment has no time zone.
    """

    def __init__(self, *, seed: int, scale: int, now: datetime) -> None:
        if scale < 1:
            raise ValueError(f"the scale is 1 or more, not {scale}")
        self.seed = seed
        self.scale = scale
        self.now = require_aware(now)

    def rng(self, *names: object) -> Random:
        """A generator of its own for each name, so that no room depends on what another drew."""
        return Random("/".join(map(str, (self.seed, *names))))  # noqa: S311 - no secret is made

    def ago(self, days: float) -> datetime:
        """The moment so many days before now; negative ones lie ahead."""
        return self.now - timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table, all with the same columns, in an order that foreign keys allow."""

    model: type[Base]
    columns: Sequence[str]
    rows: Iterable[Sequence[object]]


def batch(model: type[Base], rows: Sequence[Row]) -> Batch:
    """Make a batch of rows given by name; raises ValueError when their names differ."""
    columns = list(rows[0]) if rows else []
    if any(list(row) != columns for row in rows):
        raise ValueError(f"rows of {model.__tablename__} differ in their columns")
    return Batch(model, columns, [list(row.values()) for row in rows])


@dataclass(frozen=True, slots=True)
class Reference:
    """Ids of reference data by their words."""

    roles: dict[str, int]
    test_types: dict[str, int]


@dataclass(frozen=True, slots=True)
class CaseBlock:
    """The test cases of an application: `scale` shards of the same tests, one after the other."""

    first_id: int
    tests: int

    def case_id(self, shard: int, position: int) -> int:
        """The id of a test, by its place among the application's tests."""
        return self.first_id + shard * self.tests + position


@dataclass(frozen=True, slots=True)
class Failure:
    """A result that did not pass, for those who explain it: its key, and what it said."""

    kind: str
    run_id: int
    test_case_id: int
    occurrence: int
    attempt: int
    signature: str
    commit_sha: str
    at: datetime


@dataclass(slots=True)
class Scene:
    """One company's part of the demo, and what its rooms left for those after them.

    Attributes:
        counted: the highest id given so far, by table; companies share tables.
        users, applications, environments, hardware, products, features, runs: ids by name.
        failures: the first failure of each kind.
        changes: what becomes of rows after they were written: model, id, values.
    """

    plan: DemoPlan
    company: Company
    reference: Reference
    counted: Counter[str]
    users: dict[str, int] = field(default_factory=dict)
    applications: dict[str, int] = field(default_factory=dict)
    environments: dict[str, int] = field(default_factory=dict)
    hardware: dict[str, int] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)
    features: dict[str, int] = field(default_factory=dict)
    cases: dict[str, CaseBlock] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    changes: list[tuple[type[Base], int, Row]] = field(default_factory=list)

    def rng(self, name: str) -> Random:
        """The company's own generator of this name."""
        return self.plan.rng(self.company.tenant_id, name)

    def next_id(self, model: type[Base]) -> int:
        """The next id of a table."""
        self.counted[model.__tablename__] += 1
        return self.counted[model.__tablename__]

    def row(self, model: type[Base], at: datetime, **values: object) -> Row:
        """A row with a number for its key, made at a moment."""
        return {"id": self.next_id(model), **self.unnumbered(at, **values)}

    def unnumbered(self, at: datetime, **values: object) -> Row:
        """A row whose key is among the values, made at a moment."""
        return {
            "tenant_id": self.company.tenant_id,
            **values,
            "created_at": at,
            "updated_at": at,
        }


def draw_uuid(rng: Random) -> UUID:
    """A random UUID of version 4."""
    return UUID(int=rng.getrandbits(128), version=4)


def draw_sha(rng: Random) -> str:
    """A commit's name: 40 hexadecimal digits."""
    return f"{rng.getrandbits(160):040x}"
