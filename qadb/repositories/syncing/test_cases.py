"""A product's test cases made to match a payload, with the features that they cover.

Owns how a planned test is recognised as one that is there: by its case key, as ingest does, whoever
made the row; else by its id over there. A row that was deleted is revived.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from qadb.models import TestCase
from qadb.repositories.syncing.base import Plan, Sync, in_batches, known_features
from qadb.repositories.syncing.links import LinkSync
from qadb.repositories.syncing.payloads import read_test_cases
from qadb.repositories.syncing.records import SyncCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qadb.repositories.syncing.base import Row, SyncedProduct
    from qadb.repositories.syncing.payloads import SyncItem


class TestCaseSync(Sync[TestCase]):
    """Retires, softly, only test cases that have an id over there; see `Sync.sync`."""

    __test__ = False  # no test to pytest

    model = TestCase
    entity = "test_cases"
    columns = (
        "case_key", "name", "suite", "classname", "file", "description", "target_subsystem",
        "expected_outcome", "tags",
    )  # fmt: skip

    def _read(self, payload: object) -> tuple[SyncItem, ...]:
        return read_test_cases(payload)

    def _match(self, product: SyncedProduct, items: tuple[SyncItem, ...]) -> SyncCounts:
        named = [item for item in items if item.links is not None]
        known = self._feature_ids(product) if any(item.links for item in named) else {}
        features = {item.external_id: known_features(item, known) for item in named}
        plan = self._plan_cases(product, items)
        self._write(plan, self._retire)
        updated = {row["external_id"] for row in plan.changed}
        if features:
            updated |= self._link(product, features) - {row["external_id"] for row in plan.created}
        return SyncCounts(len(plan.created), len(updated), len(plan.retired))

    def _plan_cases(self, product: SyncedProduct, items: Sequence[SyncItem]) -> Plan:
        known = _KnownCases(product, self._candidates(product, items))
        by_key = {item.external_id: known.take_live_by_key(item) for item in items}
        plan = Plan()
        for item in items:
            before = by_key[item.external_id] or known.take(item)
            after = {**item.values, "product_id": product.id, "deleted_at": None}
            blank = {
                **dict.fromkeys(self.columns),
                "tenant_id": product.tenant_id,
                "case_key": f"product-{product.id}::{item.external_id}",
            }
            plan.match(item.external_id, before, after, blank=blank)
        plan.retired = [row["id"] for row in known.left()]
        return plan

    def _candidates(self, product: SyncedProduct, items: Sequence[SyncItem]) -> list[Row]:
        """The product's synced test cases, and whatever has a case key of the payload."""
        columns = ("id", "tenant_id", "product_id", "external_id", "deleted_at", *self.columns)
        query = select(*(getattr(TestCase, name) for name in columns)).where(
            TestCase.tenant_id == product.tenant_id
        )
        synced = query.where(TestCase.product_id == product.id, TestCase.external_id.is_not(None))
        found = {row["id"]: dict(row) for row in self.session.execute(synced).mappings()}
        keys = [item.values["case_key"] for item in items if "case_key" in item.values]
        for batch in in_batches(keys):
            named = query.where(TestCase.case_key.in_(batch))
            found |= {row["id"]: dict(row) for row in self.session.execute(named).mappings()}
        return [found[key] for key in sorted(found)]

    def _link(self, product: SyncedProduct, features: dict[str, list[int]]) -> set[object]:
        query = select(TestCase.external_id, TestCase.id).where(
            TestCase.product_id == product.id,
            TestCase.external_id.is_not(None),
            TestCase.deleted_at.is_(None),
        )
        ids = {str(name): key for name, key in self.session.execute(query)}
        wanted = {ids[name]: known for name, known in features.items()}
        changed = LinkSync(self.session, product).match_cases(wanted)
        return {name for name, key in ids.items() if key in changed}

    def _retire(self, keys: Sequence[int]) -> None:
        now = datetime.now(UTC)
        self.session.execute(update(TestCase).where(TestCase.id.in_(keys)).values(deleted_at=now))


class _KnownCases:
    """Rows that items may be about, each of them taken once.

    Of several deleted ones the newest counts.
    """

    def __init__(self, product: SyncedProduct, rows: Iterable[Row]) -> None:
        self._product = product
        self._untaken: dict[object, Row] = {}
        self._live_keys: dict[object, Row] = {}
        self._dead_keys: dict[object, Row] = {}
        self._live_ids: dict[object, Row] = {}
        self._dead_ids: dict[object, Row] = {}
        for row in rows:
            self._add(row)

    def _add(self, row: Row) -> None:
        self._untaken[row["id"]] = row
        is_own, is_live = row["product_id"] == self._product.id, row["deleted_at"] is None
        if is_live:
            self._live_keys[row["case_key"]] = row
        elif is_own or row["product_id"] is None:
            self._dead_keys[row["case_key"]] = row
        if is_own and row["external_id"] is not None:
            if is_live:
                self._live_ids.setdefault(row["external_id"], row)
            else:
                self._dead_ids[row["external_id"]] = row

    def take_live_by_key(self, item: SyncItem) -> Row | None:
        """Return the live row with the item's case key.

        Raises:
            ValueError: it is another product's.
        """
        row = self._take(self._live_keys, item.values.get("case_key"))
        if row is not None and row["product_id"] not in (None, self._product.id):
            raise ValueError(f"{item.place}: test case {row['case_key']!r} is another product's")
        return row

    def take(self, item: SyncItem) -> Row | None:
        """Return the row that the item is about when no live one has its key."""
        return (
            self._take(self._live_ids, item.external_id)
            or self._take(self._dead_ids, item.external_id)
            or self._take(self._dead_keys, item.values.get("case_key"))
        )

    def left(self) -> list[Row]:
        """Live rows of the product with an id over there that no item was about."""
        return [
            row
            for row in self._untaken.values()
            if row["deleted_at"] is None
            and row["external_id"] is not None
            and row["product_id"] == self._product.id
        ]

    def _take(self, rows: dict[object, Row], name: object) -> Row | None:
        row = rows.get(name)
        return None if row is None else self._untaken.pop(row["id"], None)
