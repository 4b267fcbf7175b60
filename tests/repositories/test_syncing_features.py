"""A product's features made to match a payload."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from qadb.errors import ConflictError, ReadOnlySession, RowNotFound
from qadb.models import Feature, Product, SyncEvent, TestCase, TestCaseFeature, UserStory
from qadb.repositories.features import FeatureRepository
from qadb.repositories.generic.base import Repository
from qadb.repositories.products import ProductRepository
from qadb.repositories.syncing.base import BATCH_ROWS
from tests.repositories.syncs import (
    counts,
    features_of,
    links_of,
    product_of,
    records_in,
    statements,
)

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

LOGIN: dict[str, Any] = {"id": 1, "title": "Login", "section": {"id": 9, "name": "Account"}}
LOGOUT: dict[str, Any] = {"id": "F-2", "title": "Logout", "description": "and forget"}


@pytest.fixture
def features(acme: UnitOfWork) -> FeatureRepository:
    return FeatureRepository(acme)


@pytest.fixture
def product_id(acme: UnitOfWork) -> int:
    return product_of(acme)


def test_features_are_created(features: FeatureRepository, product_id: int) -> None:
    record = features.sync_features(product_id, {"features": [LOGIN, LOGOUT]}, cursor="page 9")
    first, second = features.list(external_id__isnull=False)
    assert (first.external_id, first.title, first.description) == ("1", "Login", None)
    assert (first.section_id, first.section_name, first.tenant_id) == ("9", "Account", "acme")
    assert (second.external_id, second.description, second.section_id) == (
        "F-2",
        "and forget",
        None,
    )
    assert counts(record) == (2, 0, 0)
    assert (record.entity, record.source, record.cursor) == ("features", "api", "page 9")
    assert (record.status, record.error, record.tenant_id) == ("completed", None, "acme")
    assert record.completed_at is not None
    assert record.completed_at >= record.started_at


def test_the_same_payload_again_changes_nothing(database: Database) -> None:
    for expected in ((2, 0, 0), (0, 0, 0)):
        with database.session(tenant="acme") as session:
            features = FeatureRepository(session)
            record = features.sync_features(product_of(session), [LOGIN, LOGOUT])
            assert counts(record) == expected
        with database.session(tenant="acme") as session:
            times = session.execute(select(Feature.id, Feature.updated_at, Feature.created_at))
            rows = times.all()
            assert [row.updated_at == row.created_at for row in rows] == [True] * 3


def test_only_rows_that_differ_are_updated(database: Database) -> None:
    with database.session(tenant="acme") as session:
        FeatureRepository(session).sync_features(product_of(session), [LOGIN, LOGOUT])
    with database.session(tenant="acme") as session:
        changed = {**LOGOUT, "title": "Sign out"}
        record = FeatureRepository(session).sync_features(product_of(session), [LOGIN, changed])
        assert counts(record) == (0, 1, 0)
    with database.session(tenant="acme") as session:
        first, second = FeatureRepository(session).list(external_id__isnull=False)
        assert first.updated_at == first.created_at
        assert second.updated_at > second.created_at
        assert (second.title, second.description) == ("Sign out", "and forget")


def test_absent_keys_stay_and_null_empties(features: FeatureRepository, product_id: int) -> None:
    features.sync_features(product_id, [LOGIN, LOGOUT])
    bare = [{"id": 1, "title": "Login"}, {**LOGOUT, "description": None}]
    assert counts(features.sync_features(product_id, bare)) == (0, 1, 0)
    first, second = features.list(external_id__isnull=False)
    assert (first.section_id, first.section_name) == ("9", "Account")
    assert second.description is None


def test_what_the_payload_no_longer_has_is_deleted(
    features: FeatureRepository, product_id: int
) -> None:
    features.sync_features(product_id, [LOGIN, LOGOUT])
    assert counts(features.sync_features(product_id, [LOGOUT])) == (0, 0, 1)
    assert features_of(features.session, product_id) == {"F-2": "Logout"}
    assert counts(features.sync_features(product_id, [])) == (0, 0, 1)
    assert [row.title for row in features.list()] == ["acme feature"]  # made by hand


def test_stories_of_a_deleted_feature_stay_without_it(
    features: FeatureRepository, product_id: int
) -> None:
    features.sync_features(product_id, [LOGIN])
    feature = features.list(external_id="1")[0]
    story = Repository(features.session, UserStory).create(
        product_id=product_id, feature_id=feature.id, title="log in"
    )
    features.sync_features(product_id, [])
    assert story.feature_id is None


def test_other_products_are_left_alone(features: FeatureRepository, product_id: int) -> None:
    other = ProductRepository(features.session).create(name="other").id
    features.sync_features(other, [LOGIN])
    features.sync_features(product_id, [LOGIN, LOGOUT])
    features.sync_features(product_id, [])
    assert features_of(features.session, other) == {"1": "Login"}


def test_objects_that_the_session_holds_show_what_was_synced(
    features: FeatureRepository, product_id: int
) -> None:
    features.sync_features(product_id, [LOGIN, LOGOUT])
    product = features.session.get_one(Product, product_id)
    first, second = features.list(external_id__isnull=False)
    assert len(product.features) == 3
    features.sync_features(product_id, [{**LOGIN, "title": "Sign in"}, {"id": 3, "title": "Pay"}])
    assert first.title == "Sign in"
    assert {row.title for row in product.features} == {"acme feature", "Sign in", "Pay"}
    assert second not in features.session
    with pytest.raises(InvalidRequestError):
        features.session.refresh(second)


def test_objects_stay_readable_after_the_session(database: Database) -> None:
    with database.session(tenant="acme") as session:
        features = FeatureRepository(session)
        product = session.get_one(Product, product_of(session))
        features.sync_features(product.id, [LOGIN])
        feature = features.list(external_id="1")[0]
        record = features.sync_features(product.id, [{**LOGIN, "title": "Sign in"}])
    assert (product.name, feature.title, counts(record)) == ("acme shop", "Sign in", (0, 1, 0))


# The junction


def test_features_are_linked_to_the_tests_named(
    features: FeatureRepository, product_id: int
) -> None:
    cases = Repository(features.session, TestCase)
    cases.create(case_key="k-2", name="by id", product_id=product_id, external_id="T-2")
    payload = [
        {**LOGIN, "test_cases": ["suite::test", "T-2"]},
        {**LOGOUT, "tests": [{"id": "T-2"}]},
    ]
    assert counts(features.sync_features(product_id, payload)) == (2, 0, 0)
    by_hand = {("suite::test", "acme feature")}
    synced = {("suite::test", "Login"), ("k-2", "Login"), ("k-2", "Logout")}
    assert links_of(features.session) == by_hand | synced
    assert counts(features.sync_features(product_id, payload)) == (0, 0, 0)
    links = features.session.scalars(select(TestCaseFeature.tenant_id)).all()
    assert set(links) == {"acme"}

    payload = [{**LOGIN, "test_cases": ["T-2"]}, LOGOUT]
    assert counts(features.sync_features(product_id, payload)) == (0, 1, 0)
    assert links_of(features.session) == by_hand | {("k-2", "Login"), ("k-2", "Logout")}
    features.sync_features(product_id, [{**LOGIN, "test_cases": None}])
    assert links_of(features.session) == by_hand


@pytest.mark.parametrize("name", ["nobody", "T-gone", "T-other"])
def test_a_test_that_is_not_there_is_refused(
    features: FeatureRepository, product_id: int, name: str
) -> None:
    cases = Repository(features.session, TestCase)
    gone = cases.create(case_key="k-1", name="x", product_id=product_id, external_id="T-gone")
    cases.delete(gone)
    other = ProductRepository(features.session).create(name="other").id
    cases.create(case_key="k-2", name="x", product_id=other, external_id="T-other")
    payload = [LOGIN, {**LOGOUT, "test_cases": ["suite::test", name]}]
    with pytest.raises(ValueError, match=rf"features\[1\]: there is no test case '{name}'"):
        features.sync_features(product_id, payload)
    assert features_of(features.session, product_id) == {}


# Refusals


def test_a_malformed_item_changes_nothing(database: Database) -> None:
    with database.session(tenant="acme") as session:
        product_id = product_of(session)
        FeatureRepository(session).sync_features(product_id, [LOGIN])
    bad = [{**LOGIN, "title": "changed"}, LOGOUT, {"id": 3}]
    with (
        pytest.raises(ValueError, match=r"features\[2\]: there is no title"),
        database.session(tenant="acme") as session,
    ):
        FeatureRepository(session).sync_features(product_id, bad)
    with database.session(tenant="acme") as session:
        assert features_of(session, product_id) == {"1": "Login"}


def test_the_models_rules_hold_for_items(features: FeatureRepository, product_id: int) -> None:
    long = {**LOGOUT, "section_id": "s" * 256}
    with pytest.raises(ValueError, match=r"features\[1\]: features.section_id: may have 255"):
        features.sync_features(product_id, [LOGIN, long])


NO_LISTS: list[object] = [None, {"error": "rate limit"}, "[]", {}]


@pytest.mark.parametrize("payload", NO_LISTS)
def test_no_list_retires_nothing(
    features: FeatureRepository, product_id: int, payload: object
) -> None:
    features.sync_features(product_id, [LOGIN])
    with pytest.raises(ValueError, match=r"list|error document"):
        features.sync_features(product_id, payload)
    assert features_of(features.session, product_id) == {"1": "Login"}


def test_products_that_are_not_there_are_refused(
    database: Database, features: FeatureRepository, product_id: int
) -> None:
    ProductRepository(features.session).delete(product_id)
    features.session.commit()
    with database.session(tenant="rival") as session:
        others = product_of(session, "rival")
    for missing in (product_id, others, 0):
        with pytest.raises(RowNotFound, match=f"no product {missing}"):
            features.sync_features(missing, [LOGIN])


def test_a_session_for_reading_is_refused_and_records_nothing(database: Database) -> None:
    with database.session(tenant="acme", read_only=True) as session:
        features = FeatureRepository(session)
        payloads: list[object] = [[], None]
        for payload in payloads:
            with pytest.raises(ReadOnlySession):
                features.sync_features(product_of(session), payload)
    assert records_in(database) == []


def test_a_source_that_is_too_long_is_refused(features: FeatureRepository, product_id: int) -> None:
    with pytest.raises(ValueError, match="source"):
        features.sync_features(product_id, [], source="s" * 101)


def test_what_was_pending_fails_on_its_own_account(
    database: Database, acme: UnitOfWork, product_id: int
) -> None:
    acme.add(Product(name="twice", sku="s-1"))
    with pytest.raises(ConflictError, match="sku"):
        FeatureRepository(acme).sync_features(product_id, [LOGIN])
    acme.rollback()
    assert records_in(database) == []


# Tenants, other sessions, size, concurrency


def test_each_tenant_syncs_its_own(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            FeatureRepository(session).sync_features(
                product_of(session, tenant),
                [{**LOGIN, "title": tenant, "test_cases": ["suite::test"]}],
            )
    with database.session(tenant="acme") as session:
        FeatureRepository(session).sync_features(product_of(session), [])
    with database.session(tenant="rival", read_only=True) as session:
        assert features_of(session, product_of(session, "rival")) == {"1": "rival"}
        assert ("suite::test", "rival") in links_of(session)
        assert session.scalars(select(SyncEvent.tenant_id)).all() == ["rival"]


@pytest.mark.parametrize("kind", ["plain", "all"])
def test_sessions_for_all_tenants_write_the_products(database: Database, kind: str) -> None:
    plain = Session(database.engine())
    with plain if kind == "plain" else database.session(all_tenants=True) as session:
        product_id = product_of(session)
        features = FeatureRepository(session)
        first = [{**LOGIN, "test_cases": ["suite::test"]}, LOGOUT]
        assert counts(features.sync_features(product_id, first)) == (2, 0, 0)
        again = [{**LOGIN, "title": "Sign in"}, {"id": 3, "title": "Pay"}]
        assert counts(features.sync_features(product_id, again)) == (1, 1, 1)
        session.commit()
    with database.session(tenant="acme") as session:
        assert features_of(session, product_id) == {"1": "Sign in", "3": "Pay"}
        assert links_of(session) == {("suite::test", "acme feature"), ("suite::test", "Sign in")}
        assert len(session.scalars(select(SyncEvent)).all()) == 2


def many(number: int, word: str) -> list[dict[str, object]]:
    return [
        {"id": n, "title": f"{word} {n}", **({"description": word} if n % 2 else {})}
        for n in range(number)
    ]


def test_statements_are_few_whatever_the_payloads_size(database: Database) -> None:
    def sync(session: UnitOfWork, payload: list[dict[str, object]]) -> int:
        with statements(database) as seen:
            FeatureRepository(session).sync_features(product_of(session), payload)
        return len(seen)

    with database.session(tenant="acme") as session:
        few = [sync(session, many(20, "a")), sync(session, many(20, "b")), sync(session, [])]
        most = [sync(session, many(2000, "a")), sync(session, many(2000, "b")), sync(session, [])]
        batches = 2000 // BATCH_ROWS
        assert [m - f for m, f in zip(most, few, strict=True)] == [0, batches - 1, 0]
        assert max(few) < 20


def test_two_syncs_at_once_follow_each_other(database: Database) -> None:
    with database.session(tenant="acme") as session:
        product_id = product_of(session)

    def work(session: UnitOfWork, word: str) -> None:
        FeatureRepository(session).sync_features(product_id, many(50, word))

    threads = [
        threading.Thread(
            target=lambda word=word: database.run(lambda s: work(s, word), tenant="acme")
        )
        for word in ("a", "b", "c", "d")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session(tenant="acme") as session:
        records = session.scalars(select(SyncEvent).order_by(SyncEvent.id)).all()
        assert sorted(counts(record) for record in records) == [(0, 50, 0)] * 3 + [(50, 0, 0)]
        titles = features_of(session, product_id).values()
        assert len(titles) == 50
        assert len({title.split()[0] for title in titles}) == 1
