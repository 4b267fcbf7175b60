"""A product's user stories made to match a payload, with the features that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from qadb.models import UserStory
from qadb.repositories.syncing.base import Sync, known_features
from qadb.repositories.syncing.payloads import read_user_stories
from qadb.repositories.syncing.records import SyncCounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qadb.repositories.syncing.base import SyncedProduct
    from qadb.repositories.syncing.payloads import SyncItem


class UserStorySync(Sync[UserStory]):
    """User stories are known by their id over there; those without one are left alone."""

    model = UserStory
    entity = "user_stories"
    columns = ("feature_id", "section_id", "title", "requirements")

    def _read(self, payload: object) -> tuple[SyncItem, ...]:
        return read_user_stories(payload)

    def _match(self, product: SyncedProduct, items: tuple[SyncItem, ...]) -> SyncCounts:
        features = self._feature_ids(product) if any(item.links for item in items) else {}
        values = {item.external_id: _with_feature(item, features) for item in items}
        plan = self._plan(product, values, self._by_external_id(product))
        self._write(plan, self._retire)
        return SyncCounts(len(plan.created), len(plan.changed), len(plan.retired))

    def _retire(self, keys: Sequence[int]) -> None:
        self.session.execute(delete(UserStory).where(UserStory.id.in_(keys)))


def _with_feature(item: SyncItem, features: Mapping[str, int]) -> Mapping[str, object]:
    if item.links is None:
        return item.values
    return {**item.values, "feature_id": next(iter(known_features(item, features)), None)}
