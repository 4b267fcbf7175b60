"""Features of products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import Feature
from qadb.repositories.generic.base import Repository
from qadb.repositories.syncing.features import FeatureSync
from qadb.repositories.syncing.records import DEFAULT_SOURCE

if TYPE_CHECKING:
    from qadb.models import SyncEvent


class FeatureRepository(Repository[Feature]):
    """Features: what products can do."""

    model = Feature

    def sync_features(
        self,
        product_id: int,
        payload: object,
        *,
        source: str = DEFAULT_SOURCE,
        cursor: str | None = None,
    ) -> SyncEvent:
        """Create, update and delete a product's features to match a decoded API payload.

        Features without an external id were made by hand and are left alone. Where an item lists
        ``test_cases``, the feature is linked to those, and to no others. For arguments, record and
        errors see `qadb.repositories.syncing.base.Sync.sync`.
        """
        return FeatureSync(self.session).sync(product_id, payload, source=source, cursor=cursor)
