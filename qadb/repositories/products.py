"""Products, and all that is synced of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import Product
from qadb.repositories.generic.base import Repository
from qadb.repositories.syncing.features import FeatureSync
from qadb.repositories.syncing.records import DEFAULT_SOURCE
from qadb.repositories.syncing.test_cases import TestCaseSync
from qadb.repositories.syncing.user_stories import UserStorySync

if TYPE_CHECKING:
    from qadb.models import SyncEvent


class ProductRepository(Repository[Product]):
    """Products, and all that is synced of one.

    A sync makes one kind of a product's rows match a decoded API payload; for arguments, record and
    errors see `qadb.repositories.syncing.base.Sync.sync`. Features go first: the others refer to
    them.
    """

    model = Product

    def get_by_sku(self, sku: str) -> Product | None:
        """Return the product with this SKU.

        Raises:
            SeveralRowsFound: the session sees several tenants, and more than one has it.
        """
        return self.get_by(sku=sku)

    def sync_features(
        self,
        product_id: int,
        payload: object,
        *,
        source: str = DEFAULT_SOURCE,
        cursor: str | None = None,
    ) -> SyncEvent:
        """Make a product's features match; as `FeatureRepository.sync_features`."""
        return FeatureSync(self.session).sync(product_id, payload, source=source, cursor=cursor)

    def sync_user_stories(
        self,
        product_id: int,
        payload: object,
        *,
        source: str = DEFAULT_SOURCE,
        cursor: str | None = None,
    ) -> SyncEvent:
        """Make a product's user stories match; as `UserStoryRepository.sync_user_stories`."""
        return UserStorySync(self.session).sync(product_id, payload, source=source, cursor=cursor)

    def sync_test_cases(
        self,
        product_id: int,
        payload: object,
        *,
        source: str = DEFAULT_SOURCE,
        cursor: str | None = None,
    ) -> SyncEvent:
        """Make a product's test cases match, with the features that they cover.

        A test is recognised by its case key, whoever made the row, else by its external id. Those
        with an external id that are gone are softly deleted, and revived when they come back.
        Where an item lists ``features``, the test is linked to those and to no other synced ones of
        the product.
        """
        return TestCaseSync(self.session).sync(product_id, payload, source=source, cursor=cursor)
