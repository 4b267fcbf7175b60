"""A product's features made to match a payload, with the test cases that cover them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select

from qadb.models import Feature, TestCase, UserStory
from qadb.repositories.syncing.base import Sync, in_batches
from qadb.repositories.syncing.links import LinkSync
from qadb.repositories.syncing.payloads import read_features
from qadb.repositories.syncing.records import SyncCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qadb.repositories.syncing.base import SyncedProduct
    from qadb.repositories.syncing.payloads import SyncItem


class FeatureSync(Sync[Feature]):
    """Features are known by their id over there; those without one are left alone."""

    model = Feature
    entity = "features"
    columns = ("section_id", "section_name", "title", "description")

    def _read(self, payload: object) -> tuple[SyncItem, ...]:
        return read_features(payload)

    def _match(self, product: SyncedProduct, items: tuple[SyncItem, ...]) -> SyncCounts:
        cases = self._cases_of(product, items)
        values = {item.external_id: item.values for item in items}
        plan = self._plan(product, values, self._by_external_id(product))
        self._write(plan, self._retire)
        updated = {row["external_id"] for row in plan.changed}
        if cases:
            updated |= self._link(product, cases) - {row["external_id"] for row in plan.created}
        return SyncCounts(len(plan.created), len(updated), len(plan.retired))

    def _cases_of(self, product: SyncedProduct, items: Sequence[SyncItem]) -> dict[str, set[int]]:
        """The test cases of each feature that the payload names some, or none, for."""
        named = [item for item in items if item.links is not None]
        known = self._known_cases(product, {one for item in named for one in item.links or ()})
        found: dict[str, set[int]] = {}
        for item in named:
            for one in item.links or ():
                if one not in known:
                    raise ValueError(f"{item.place}: there is no test case {one!r}")
            found[item.external_id] = {known[one] for one in item.links or ()}
        return found

    def _known_cases(self, product: SyncedProduct, names: set[str]) -> dict[str, int]:
        """Live test cases by their key, or by their id over there within the product."""
        by_key: dict[str, int] = {}
        by_external_id: dict[str, int] = {}
        for batch in in_batches(sorted(names)):
            is_of_product = TestCase.product_id == product.id
            query = (
                select(TestCase.id, TestCase.case_key, TestCase.external_id, TestCase.product_id)
                .where(
                    TestCase.tenant_id == product.tenant_id,
                    TestCase.deleted_at.is_(None),
                    or_(
                        TestCase.case_key.in_(batch),
                        is_of_product & TestCase.external_id.in_(batch),
                    ),
                )
                .order_by(TestCase.id.desc())
            )
            for row in self.session.execute(query):
                by_key[row.case_key] = row.id
                if row.external_id is not None and row.product_id == product.id:
                    by_external_id[row.external_id] = row.id
        return by_external_id | by_key

    def _link(self, product: SyncedProduct, cases: dict[str, set[int]]) -> set[object]:
        ids = self._feature_ids(product)
        wanted = {ids[name]: known for name, known in cases.items()}
        changed = LinkSync(self.session, product).match_features(wanted)
        return {name for name, key in ids.items() if key in changed}

    def _retire(self, keys: Sequence[int]) -> None:
        self.session.execute(delete(Feature).where(Feature.id.in_(keys)))
        gone = {*keys}
        for row in list(self.session.identity_map.values()):
            if isinstance(row, UserStory) and row.__dict__.get("feature_id") in gone:
                self.session.expire(row, ["feature_id"])  # the database has emptied it
