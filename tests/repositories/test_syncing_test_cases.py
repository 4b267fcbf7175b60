"""A product's test cases made to match a payload, with the features that they cover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from qadb.models import Feature, TestCase, TestCaseFeature
from qadb.repositories.generic.base import Repository
from qadb.repositories.products import ProductRepository
from qadb.repositories.syncing.base import BATCH_ROWS
from tests.repositories.syncs import counts, links_of, product_of, records_of, statements

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

PAYS: dict[str, Any] = {"id": 1, "name": "pays", "key": "shop::pays", "tags": ["slow", "card"]}
LEAVES: dict[str, Any] = {"id": "T-2", "title": "leaves"}
BY_HAND = {("suite::test", "acme feature")}


@pytest.fixture
def products(acme: UnitOfWork) -> ProductRepository:
    features = [{"id": "F-1", "title": "Checkout"}, {"id": 2, "title": "Account"}]
    ProductRepository(acme).sync_features(product_of(acme), features)
    return ProductRepository(acme)


@pytest.fixture
def cases(acme: UnitOfWork) -> Repository[TestCase]:
    return Repository(acme, TestCase)


@pytest.fixture
def product_id(acme: UnitOfWork) -> int:
    return product_of(acme)


def keys(cases: Repository[TestCase]) -> dict[str | None, str]:
    return {case.external_id: case.case_key for case in cases.list()}


def test_test_cases_are_created(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    payload = {"tests": [{**PAYS, "subsystem": "till"}, LEAVES]}
    record = products.sync_test_cases(product_id, payload)
    assert (counts(record), record.entity) == ((2, 0, 0), "test_cases")
    pays, leaves = cases.list(external_id__isnull=False)
    assert (pays.case_key, pays.name, pays.external_id) == ("shop::pays", "pays", "1")
    assert (pays.tags, pays.target_subsystem) == (["slow", "card"], "till")
    assert (pays.product_id, pays.tenant_id, pays.deleted_at) == (product_id, "acme", None)
    assert (leaves.case_key, leaves.name) == (f"product-{product_id}::T-2", "leaves")
    assert counts(products.sync_test_cases(product_id, payload)) == (0, 0, 0)


def test_test_cases_are_updated(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    products.sync_test_cases(product_id, [PAYS, LEAVES])
    pays, leaves = cases.list(external_id__isnull=False)
    payload = [{**PAYS, "tags": ["slow"], "key": "shop::till::pays"}, {**LEAVES, "suite": None}]
    assert counts(products.sync_test_cases(product_id, payload)) == (0, 1, 0)
    assert (pays.case_key, pays.tags, leaves.suite) == ("shop::till::pays", ["slow"], None)


def test_what_is_gone_is_deleted_softly_and_comes_back(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    products.sync_test_cases(product_id, [PAYS, LEAVES])
    pays, leaves = cases.list(external_id__isnull=False)
    assert counts(products.sync_test_cases(product_id, [LEAVES])) == (0, 0, 1)
    assert cases.list(external_id__isnull=False) == [leaves]
    assert counts(products.sync_test_cases(product_id, [LEAVES])) == (0, 0, 0)
    assert counts(products.sync_test_cases(product_id, [PAYS])) == (0, 1, 1)
    assert cases.list(external_id__isnull=False) == [pays]
    assert leaves.deleted_at is not None
    assert counts(products.sync_test_cases(product_id, [])) == (0, 0, 1)
    assert [case.name for case in cases.list()] == ["acme test"]  # did not come from syncing


def test_a_test_that_ingest_knows_is_taken_over(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    (known,) = cases.list()
    payload = [{"id": 1, "name": "renamed", "key": "suite::test"}]
    assert counts(products.sync_test_cases(product_id, payload)) == (0, 1, 0)
    assert (known.external_id, known.product_id, known.name) == ("1", product_id, "renamed")
    assert cases.count() == 1


def test_the_case_key_goes_before_the_id(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    products.sync_test_cases(product_id, [PAYS, LEAVES])
    cases.create(case_key="shop::new", name="ingested")
    moved = [{**PAYS, "key": "shop::new"}, {**LEAVES, "key": "shop::pays"}]
    assert counts(products.sync_test_cases(product_id, moved)) == (0, 2, 1)
    assert keys(cases) == {None: "suite::test", "1": "shop::new", "T-2": "shop::pays"}
    assert counts(products.sync_test_cases(product_id, moved)) == (0, 0, 0)


def test_a_deleted_test_is_known_by_its_key(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    (known,) = cases.list()
    cases.delete(known)
    products.sync_test_cases(product_id, [{"id": 1, "name": "x", "key": "suite::test"}])
    assert (known.deleted_at, known.external_id) == (None, "1")


def test_another_products_test_is_refused(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    other = products.create(name="other").id
    products.sync_test_cases(other, [PAYS])
    with pytest.raises(ValueError, match=r"test_cases\[1\]: .*'shop::pays' is another product's"):
        products.sync_test_cases(product_id, [LEAVES, {**PAYS, "id": 9}])
    assert cases.count(product_id=product_id) == 0
    assert records_of(products.session)[-1][1] == "failed"
    assert counts(products.sync_test_cases(product_id, [{"id": 1, "name": "own"}])) == (1, 0, 0)


def test_tests_are_linked_to_the_features_named(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    payload = [{**PAYS, "features": ["F-1", 2]}, {**LEAVES, "features": [{"id": 2}]}]
    assert counts(products.sync_test_cases(product_id, payload)) == (2, 0, 0)
    leaves = f"product-{product_id}::T-2"
    pays = "shop::pays"
    all_links = {(pays, "Checkout"), (pays, "Account"), (leaves, "Account")}
    assert links_of(products.session) == BY_HAND | all_links
    assert set(products.session.scalars(select(TestCaseFeature.tenant_id))) == {"acme"}
    held = cases.list(case_key=pays, with_=["features"])[0]

    assert counts(products.sync_test_cases(product_id, payload)) == (0, 0, 0)
    payload = [{**PAYS, "features": ["F-1"]}, LEAVES]
    assert counts(products.sync_test_cases(product_id, payload)) == (0, 1, 0)
    assert [feature.title for feature in held.features] == ["Checkout"]
    products.sync_test_cases(product_id, [{**PAYS, "features": []}, LEAVES])
    assert links_of(products.session) == BY_HAND | {(leaves, "Account")}


def test_links_made_by_hand_stay(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    payload = [{"id": 1, "name": "acme test", "key": "suite::test", "features": ["F-1"]}]
    products.sync_test_cases(product_id, payload)
    assert links_of(products.session) == BY_HAND | {("suite::test", "Checkout")}
    products.sync_test_cases(product_id, [{**payload[0], "features": []}])
    assert links_of(products.session) == BY_HAND


def test_a_feature_that_is_unknown_is_refused(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    with pytest.raises(ValueError, match=r"test_cases\[1\]: there is no feature 'F-9'"):
        products.sync_test_cases(product_id, [PAYS, {**LEAVES, "features": ["F-1", "F-9"]}])
    assert cases.count() == 1


def test_a_test_that_comes_back_has_its_links_again(
    products: ProductRepository, cases: Repository[TestCase], product_id: int
) -> None:
    payload = [{**PAYS, "features": ["F-1"]}]
    products.sync_test_cases(product_id, payload)
    products.sync_test_cases(product_id, [])
    products.sync_test_cases(product_id, payload)
    assert links_of(products.session) == BY_HAND | {("shop::pays", "Checkout")}


def test_each_tenant_syncs_its_own_tests(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            products, product_id = ProductRepository(session), product_of(session, tenant)
            products.sync_features(product_id, [{"id": "F-1", "title": tenant}])
            taken = {"id": 2, "name": tenant, "key": "suite::test"}
            payload = [{**PAYS, "name": tenant, "features": ["F-1"]}, taken]
            assert counts(products.sync_test_cases(product_id, payload)) == (1, 1, 0)
    with database.session(all_tenants=True) as session:
        ProductRepository(session).sync_test_cases(product_of(session), [])
    with database.session(tenant="rival", read_only=True) as session:
        cases = Repository(session, TestCase)
        assert keys(cases) == {"1": "shop::pays", "2": "suite::test"}
        assert {case.name for case in cases.list()} == {"rival"}
        assert ("shop::pays", "rival") in links_of(session)


def many(number: int, word: str) -> list[dict[str, object]]:
    return [
        {"id": n, "name": f"{word} {n}", "key": f"k::{n}", "features": ["F-1", 2][: n % 3]}
        for n in range(number)
    ]


def test_statements_are_few_whatever_the_payloads_size(database: Database) -> None:
    def sync(session: UnitOfWork, payload: list[dict[str, object]]) -> int:
        with statements(database) as seen:
            ProductRepository(session).sync_test_cases(product_of(session), payload)
        return len(seen)

    with database.session(tenant="acme") as session:
        features = [{"id": "F-1", "title": "Checkout"}, {"id": 2, "title": "Account"}]
        ProductRepository(session).sync_features(product_of(session), features)
        few = [sync(session, many(20, "a")), sync(session, many(20, "b")), sync(session, [])]
        sync(session, many(20, "a"))
        most = [sync(session, many(2000, "a")), sync(session, many(2000, "b")), sync(session, [])]
        assert most[1] - few[1] == 2000 // BATCH_ROWS - 1
        assert most[2] == few[2]
        assert max(most[0], *few) < 25
        linked = select(Feature.title).join(Feature.test_cases).where(TestCase.name == "b 1999")
        assert session.scalars(linked).all() == ["Checkout"]
