"""User stories of products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import UserStory
from qadb.repositories.generic.base import Repository
from qadb.repositories.syncing.records import DEFAULT_SOURCE
from qadb.repositories.syncing.user_stories import UserStorySync

if TYPE_CHECKING:
    from qadb.models import SyncEvent


class UserStoryRepository(Repository[UserStory]):
    """User stories: what users want of products."""

    model = UserStory

    def sync_user_stories(
        self,
        product_id: int,
        payload: object,
        *,
        source: str = DEFAULT_SOURCE,
        cursor: str | None = None,
    ) -> SyncEvent:
        """Create, update and delete a product's user stories to match a decoded API payload.

        Stories without an external id were made by hand and are left alone. The feature that an
        item names has to be there: sync features first. For arguments, record and errors see
        `qadb.repositories.syncing.base.Sync.sync`.
        """
        return UserStorySync(self.session).sync(product_id, payload, source=source, cursor=cursor)
