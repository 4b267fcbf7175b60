"""A product's rows made to match a payload: what every kind of sync has in common.

Owns the order of things: the product is locked, so that two syncs of it never overlap; rows are
read once, compared in Python, and written hundreds or thousands at a time. What a kind reads and
compares lies with it: `sync_features`, `sync_user_stories`, `sync_test_cases`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from sqlalchemy import inspect, select

from qadb.models import Feature, Product, TestCase, UserStory
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.filters import column_of
from qadb.repositories.generic.locks import lock_owner
from qadb.repositories.generic.reading import M
from qadb.repositories.syncing.records import SyncCounts, SyncRun, record_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.orm import InstanceState

    from qadb.models import Base, SyncEvent
    from qadb.repositories.syncing.payloads import SyncItem

T = TypeVar("T")

_LINKED = (Product, Feature, UserStory, TestCase)
_SYNCED_RELATIONSHIPS = {"features", "feature", "user_stories", "test_cases"}

Row: TypeAlias = "dict[str, Any]"

BATCH_ROWS = 500
BATCH_KEYS = 10_000  # a statement holds so many keys; SQLite takes no more than 32766


@dataclass(frozen=True, slots=True)
class SyncedProduct:
    """The product that a sync has locked until its transaction ends."""

    id: int
    tenant_id: str


@dataclass(slots=True)
class Plan:
    """What has to be written for rows to match a payload.

    Attributes:
        created: new rows.
        changed: rows that differ, whole and with their keys.
        retired: keys of rows that the payload no longer has.
    """

    created: list[dict[str, object]] = field(default_factory=list)
    changed: list[dict[str, object]] = field(default_factory=list)
    retired: list[int] = field(default_factory=list)

    def match(
        self,
        external_id: str,
        before: Row | None,
        after: Mapping[str, object],
        *,
        blank: Mapping[str, object],
    ) -> None:
        """Note what becomes of an item.

        Args:
            external_id: its id over there.
            before: the row that is there, with its ``id``.
            after: what its columns have to be; others stay.
            blank: the columns of a new row that nothing is said of.
        """
        stated = {**after, "external_id": external_id}
        if before is None:
            self.created.append({**blank, **stated})
        elif any(before[name] != value for name, value in stated.items()):
            self.changed.append({**before, **stated})


class Sync(Repository[M], ABC):
    """Makes one product's rows of a model match a payload.

    Attributes:
        entity: the rows' name in `sync_events`.
        columns: what a payload may state of them besides their id over there.
    """

    entity: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    def sync(
        self, product_id: int, payload: object, *, source: str, cursor: str | None
    ) -> SyncEvent:
        """Create, update and retire rows to match; all of it or nothing.

        Args:
            product_id: whose rows they are.
            payload: decoded JSON, complete; `qadb.repositories.syncing.payloads` has its form.
            source: where it comes from, for the record.
            cursor: how far the source was read, for the record.

        Returns:
            The record, with how many rows were created, updated and deleted. A sync that fails
            leaves one too, with the error, also when the transaction is rolled back.

        Raises:
            ValueError: the payload has no list, or an item is malformed.
            RowNotFound: there is no such product.
            ConflictError: a key or another rule of the database is broken.
            ReadOnlySession: the session was opened for reading.
        """
        self._flush(None)  # what is pending fails on its own account

        def work(run: SyncRun) -> SyncCounts:
            items = self._read(payload)
            for item in items:
                self._check(item)
            with self._conflicts():
                locked = lock_owner(self.session, Product, product_id)
                product = SyncedProduct(locked.id, locked.tenant_id)
                run.tenant_id = product.tenant_id
                return self._match(product, items)

        return record_sync(self.session, work, entity=self.entity, source=source, cursor=cursor)

    @abstractmethod
    def _read(self, payload: object) -> tuple[SyncItem, ...]:
        """Read the payload's items; raises ValueError for one that is malformed."""

    @abstractmethod
    def _match(self, product: SyncedProduct, items: tuple[SyncItem, ...]) -> SyncCounts:
        """Write what makes the product's rows match the items."""

    def _check(self, item: SyncItem) -> None:
        """Let the model's rules look at the item before anything is written."""
        try:
            self.model(external_id=item.external_id, **item.values)
        except ValueError as error:
            raise ValueError(f"{item.place}: {error}") from None

    def _by_external_id(self, product: SyncedProduct) -> dict[str, Row]:
        """The product's rows that came from over there."""
        names = ("id", "tenant_id", "product_id", "external_id", *self.columns)
        query = select(*(column_of(self.model, name) for name in names)).where(
            column_of(self.model, "product_id") == product.id,
            column_of(self.model, "external_id").is_not(None),
        )
        rows = self.session.execute(query).mappings()
        return {str(row["external_id"]): dict(row) for row in rows}

    def _plan(
        self,
        product: SyncedProduct,
        values: Mapping[str, Mapping[str, object]],
        before: Mapping[str, Row],
    ) -> Plan:
        """Compare rows that are known by their id over there alone."""
        owners = {"product_id": product.id, "tenant_id": product.tenant_id}
        blank = {**dict.fromkeys(self.columns), **owners}
        plan = Plan()
        for external_id, stated in values.items():
            plan.match(external_id, before.get(external_id), stated, blank=blank)
        plan.retired = [row["id"] for name, row in before.items() if name not in values]
        return plan

    def _feature_ids(self, product: SyncedProduct) -> dict[str, int]:
        query = select(Feature.external_id, Feature.id).where(
            Feature.product_id == product.id, Feature.external_id.is_not(None)
        )
        return {str(name): key for name, key in self.session.execute(query)}

    def _write(self, plan: Plan, retire: Callable[[Sequence[int]], None]) -> None:
        for keys in in_batches(plan.retired):
            retire(keys)
        for rows in in_batches(plan.changed, BATCH_ROWS):
            self._change(rows)
        self.create_many(plan.created)
        self._refresh({row["id"] for row in plan.changed})

    def _change(self, rows: Sequence[Row]) -> None:
        """Change rows by their keys, with one statement; a row that is gone comes back."""
        changes = [name for name in rows[0] if name not in ("id", "tenant_id")]
        statement = self.backend.upserts.insert_or_update(
            self.model, rows, key=["id"], predicate=None, changes=changes
        )
        self.session.execute(statement)

    def _refresh(self, keys: Collection[object]) -> None:
        """Bring what the session holds up to date; its rows were changed behind its back."""
        held: list[int] = []
        for row in list(self.session.identity_map.values()):
            if not isinstance(row, _LINKED):
                continue
            stale = _SYNCED_RELATIONSHIPS & row.__dict__.keys()
            if stale:
                self.session.expire(row, stale)
            state: InstanceState[Base] = inspect(row)
            if isinstance(row, self.model) and state.identity and state.identity[0] in keys:
                held.append(state.identity[0])
        for batch in in_batches(held):
            query = select(self.model).where(column_of(self.model, "id").in_(batch))
            self.session.scalars(query.execution_options(populate_existing=True)).all()


def known_features(item: SyncItem, features: Mapping[str, int]) -> list[int]:
    """Return the keys of the features that an item names; raises ValueError for unknown ones."""
    for name in item.links or ():
        if name not in features:
            raise ValueError(f"{item.place}: there is no feature {name!r} in the product")
    return [features[name] for name in item.links or ()]


def in_batches(values: Iterable[T], size: int = BATCH_KEYS) -> Iterator[list[T]]:
    """Yield as many values at a time as a statement takes."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
