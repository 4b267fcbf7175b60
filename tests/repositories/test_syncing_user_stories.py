"""A product's user stories made to match a payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from qadb.models import Feature, UserStory
from qadb.repositories.products import ProductRepository
from qadb.repositories.user_stories import UserStoryRepository
from tests.repositories.syncs import counts, product_of, records_of, stories_of

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

PAY: dict[str, Any] = {"id": 1, "title": "Pay", "requirements": "by card", "section_id": 9}
LEAVE: dict[str, Any] = {"id": "S-2", "title": "Leave"}


@pytest.fixture
def stories(acme: UnitOfWork) -> UserStoryRepository:
    features = [{"id": "F-1", "title": "Checkout"}, {"id": 2, "title": "Account"}]
    ProductRepository(acme).sync_features(product_of(acme), features)
    return UserStoryRepository(acme)


@pytest.fixture
def product_id(acme: UnitOfWork) -> int:
    return product_of(acme)


def features_by_story(stories: UserStoryRepository) -> dict[str, str | None]:
    query = select(UserStory.title, Feature.title).outerjoin(UserStory.feature)
    return {row[0]: row[1] for row in stories.session.execute(query)}


def test_stories_are_created_updated_and_deleted(
    stories: UserStoryRepository, product_id: int
) -> None:
    stories.create(product_id=product_id, title="by hand")
    payload = {"user_stories": [PAY, LEAVE]}
    assert counts(stories.sync_user_stories(product_id, payload)) == (2, 0, 0)
    assert counts(stories.sync_user_stories(product_id, payload)) == (0, 0, 0)
    pay = stories.list(external_id="1")[0]
    assert (pay.title, pay.requirements, pay.section_id) == ("Pay", "by card", "9")
    assert (pay.tenant_id, pay.feature_id) == ("acme", None)

    changed = [{**PAY, "requirements": "by card or cash"}, {"id": 3, "title": "Return"}]
    record = stories.sync_user_stories(product_id, {"stories": changed}, source="tracker")
    assert (counts(record), record.entity, record.source) == ((1, 1, 1), "user_stories", "tracker")
    assert pay.requirements == "by card or cash"
    assert stories_of(stories.session, product_id) == {"1": "Pay", "3": "Return"}
    assert counts(stories.sync_user_stories(product_id, [])) == (0, 0, 2)
    assert [story.title for story in stories.list()] == ["by hand"]


def test_stories_belong_to_the_feature_named(stories: UserStoryRepository, product_id: int) -> None:
    payload = [{**PAY, "feature_id": "F-1"}, {**LEAVE, "feature": {"id": 2}}]
    stories.sync_user_stories(product_id, payload)
    assert features_by_story(stories) == {"Pay": "Checkout", "Leave": "Account"}
    pay = stories.list(external_id="1", with_=["feature"])[0]
    payload = [{**PAY, "feature_id": 2}, {**LEAVE, "feature": None}]
    assert counts(stories.sync_user_stories(product_id, payload)) == (0, 2, 0)
    assert features_by_story(stories) == {"Pay": "Account", "Leave": None}
    assert pay.feature is not None
    assert pay.feature.title == "Account"
    assert counts(stories.sync_user_stories(product_id, [PAY, LEAVE])) == (0, 0, 0)
    assert features_by_story(stories)["Pay"] == "Account"


@pytest.mark.parametrize("feature", ["F-9", "", "other"])
def test_a_feature_that_is_not_there_is_refused(
    stories: UserStoryRepository, product_id: int, feature: str
) -> None:
    products = ProductRepository(stories.session)
    products.sync_features(products.create(name="other").id, [{"id": "other", "title": "x"}])
    payload = [PAY, {**LEAVE, "feature_id": feature}]
    if not feature:
        assert counts(stories.sync_user_stories(product_id, payload)) == (2, 0, 0)
        return
    with pytest.raises(ValueError, match=rf"user_stories\[1\]: there is no feature '{feature}'"):
        stories.sync_user_stories(product_id, payload)
    assert stories_of(stories.session, product_id) == {}
    assert [status for _, status, _ in records_of(stories.session)][-1] == "failed"


def test_an_error_document_deletes_nothing(stories: UserStoryRepository, product_id: int) -> None:
    stories.sync_user_stories(product_id, [PAY])
    with pytest.raises(ValueError, match="error document"):
        stories.sync_user_stories(product_id, {"error": "no", "user_stories": []})
    assert stories_of(stories.session, product_id) == {"1": "Pay"}


def test_each_tenant_syncs_its_own_stories(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            products, product_id = ProductRepository(session), product_of(session, tenant)
            products.sync_features(product_id, [{"id": "F-1", "title": tenant}])
            products.sync_user_stories(product_id, [{**PAY, "title": tenant, "feature": "F-1"}])
    with database.session(tenant="acme") as session:
        ProductRepository(session).sync_user_stories(product_of(session), [])
    with database.session(tenant="rival", read_only=True) as session:
        assert features_by_story(UserStoryRepository(session)) == {"rival": "rival"}
