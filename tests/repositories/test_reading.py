"""What repositories find, in which order, in how many queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, assert_type

import pytest
from sqlalchemy.orm import joinedload

from qadb.errors import SeveralRowsFound
from qadb.models import (
    Bug,
    Feature,
    Order,
    Product,
    TestResult,
    TestRun,
)
from qadb.repositories.generic.base import Repository
from tests.repositories.shop import ProductRepository, names

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_get_finds_a_row_by_its_key(products: ProductRepository) -> None:
    row = products.create(name="Fan")
    assert products.get(row.id) is row
    assert products.get(0) is None


def test_get_takes_composite_keys(acme: UnitOfWork) -> None:
    results = Repository(acme, TestResult)
    found = results.list()[0]
    key = (found.run_id, found.test_case_id, found.occurrence, found.attempt)
    assert results.get(key) is found


def test_get_finds_nothing_of_another_tenant(database: Database) -> None:
    with database.session(tenant="rival") as session:
        key = Repository(session, Bug).list()[0].id
    with database.session(tenant="acme") as session:
        assert Repository(session, Bug).get(key) is None


def test_get_by_finds_the_one_row_or_none(products: ProductRepository) -> None:
    found = products.get_by(sku="p-1")
    assert found is not None
    assert found.name == "Bell"
    assert products.get_by(name="nothing") is None
    assert products.get_by(Product.name == "Drum", category="loud") is not None
    with pytest.raises(SeveralRowsFound):
        products.get_by(category="loud")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": "Bell"}, "Bell"),
        ({"name__eq": "Bell"}, "Bell"),
        ({"category": None, "sku__startswith": "p-"}, "Anvil Crate"),
        ({"category__ne": "loud", "sku__startswith": "p-"}, "Anvil Crate"),
        ({"price__gt": Decimal("0.5")}, "Crate Drum"),
        ({"price__gte": Decimal("0.5")}, "Bell Crate Drum"),
        ({"price__lt": 1}, "Anvil Bell"),
        ({"price__lte": 1}, "Anvil Bell Crate"),
        ({"price__between": (Decimal("0.5"), 1)}, "Bell Crate"),
        ({"name__in": ["Bell", "Drum", "x"]}, "Bell Drum"),
        ({"name__in": []}, ""),
        ({"category__in": ["loud", None], "sku__startswith": "p-"}, "Anvil Bell Crate Drum"),
        ({"category__notin": ["loud"], "sku__startswith": "p-"}, "Anvil Crate"),
        ({"category__notin": ["x", None]}, "Bell Drum"),
        ({"category__isnull": False}, "Bell Drum"),
        ({"category__isnull": True, "sku__startswith": "p-"}, "Anvil Crate"),
        ({"name__contains": "el"}, "Bell"),
        ({"name__contains": "%"}, ""),
        ({"name__icontains": "RA"}, "Crate"),
        ({"name__startswith": "D"}, "Drum"),
        ({"name__istartswith": "d"}, "Drum"),
        ({"name__endswith": "um"}, "Drum"),
        ({"name__iendswith": "UM"}, "Drum"),
        ({"name__contains": "EL"}, ""),
        ({"name__startswith": "d"}, ""),
        ({"name__endswith": "UM"}, ""),
        ({"name__like": "_RATE"}, ""),
        ({"price": 1.0}, "Crate"),
        ({"price__in": [0, Decimal("0.50")]}, "Anvil Bell"),
        ({"name__like": "_rate"}, "Crate"),
        ({"name__ilike": "CR%"}, "Crate"),
        ({"created_at__gt": NOON - timedelta(days=9999), "category": "loud"}, "Bell Drum"),
    ],
)
def test_filters_by_keyword(
    products: ProductRepository, filters: dict[str, Any], expected: str
) -> None:
    assert names(products.list(**filters)) == expected.split()
    assert products.count(**filters) == len(expected.split())
    assert products.exists(**filters) is bool(expected)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"colour": "red"}, "no column 'colour'"),
        ({"name__sounds": "x"}, "no operator 'sounds'"),
        ({"features": []}, "no column 'features'"),
        ({"name__in": "Bell"}, "a list is needed"),
        ({"name": 5}, "str is needed, not int"),
        ({"name__in": ["Bell", b"x"]}, "str is needed, not bytes"),
        ({"id": "1"}, "int is needed, not str"),
        ({"id__gt": True}, "int is needed, not bool"),
        ({"id__in": [1, 2**63]}, "does not fit into 64 bits"),
        ({"price__lt": "1"}, "Decimal is needed, not str"),
        ({"created_at__gt": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001 - on purpose
        ({"created_at__between": (NOON, NOON.date())}, "datetime is needed, not date"),
        ({"price__contains": "1"}, "no text"),
        ({"name__contains": 1}, "text is needed"),
        ({"price__gt": None}, "isnull"),
        ({"price__between": (1,)}, "upper bound"),
        ({"category__isnull": "yes"}, "True or False"),
    ],
)
def test_wrong_filters_raise(
    products: ProductRepository, filters: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        products.list(**filters)


def test_a_list_of_ids_may_be_long(products: ProductRepository) -> None:
    assert products.count(id__in=range(1, 100_000)) == products.count()
    assert products.count(id__notin=range(1, 100_000)) == 0


@pytest.mark.parametrize("wrong", [{"limit": -1}, {"skip": -1}])
def test_a_list_of_less_than_nothing_raises(
    products: ProductRepository, wrong: dict[str, Any]
) -> None:
    assert products.list(limit=0) == []
    with pytest.raises(ValueError, match="below zero"):
        products.list(**wrong)
    for limit in (0, -1):
        with pytest.raises(ValueError, match="1 or more"):
            products.page(limit=limit)


def test_conditions_and_keywords_go_together(products: ProductRepository) -> None:
    assert names(products.list(Product.price > Decimal("0.5"), category="loud")) == ["Drum"]


def test_lists_go_by_the_key_or_as_told(products: ProductRepository) -> None:
    assert names(products.list())[1:] == ["Anvil", "Bell", "Crate", "Drum"]
    assert names(products.list(order_by="-name", sku__startswith="p-", limit=2)) == [
        "Drum",
        "Crate",
    ]
    by_two = products.list(order_by=["-inventory_quantity", "name"], sku__startswith="p-")
    assert names(by_two) == ["Bell", "Drum", "Anvil", "Crate"]
    assert names(products.list(order_by="name", sku__startswith="p-", skip=1, limit=2)) == [
        "Bell",
        "Crate",
    ]
    with pytest.raises(ValueError, match="no column 'colour'"):
        products.list(order_by="-colour")


def test_null_sorts_as_the_largest(products: ProductRepository) -> None:
    ours: dict[str, Any] = {"sku__startswith": "p-"}
    assert names(products.list(order_by="category", **ours)) == ["Bell", "Drum", "Anvil", "Crate"]
    assert names(products.list(order_by="-category", **ours)) == ["Crate", "Anvil", "Drum", "Bell"]


ORDERS = ["name", "-name", "category", "-category", "-price", "created_at", "-updated_at", "id"]


@pytest.mark.parametrize("order_by", [*ORDERS, ["category", "-price"], ["-inventory_quantity"]])
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_pages_join_to_the_whole_list(
    products: ProductRepository, order_by: str | list[str], limit: int
) -> None:
    pages: list[str] = []
    after = None
    while True:
        page = products.page(order_by=order_by, limit=limit, after=after)
        assert len(page.items) <= limit
        pages += names(page.items)
        after = page.next_cursor
        if after is None:
            break
    assert pages == names(products.list(order_by=order_by))
    assert len(pages) == 5


def test_pages_go_on_where_they_ended(products: ProductRepository) -> None:
    ours: dict[str, Any] = {"sku__startswith": "p-"}
    first = products.page(order_by="name", limit=2, **ours)
    products.create(name="Aardvark", sku="p-9")
    products.update(first.items[0], name="Zebra")
    second = products.page(order_by="name", limit=2, after=first.next_cursor, **ours)
    assert names(second.items) == ["Crate", "Drum"]


@pytest.mark.parametrize("kind", [Order, TestRun, TestResult])
def test_pages_of_any_key_work(acme: UnitOfWork, kind: type[Order | TestRun | TestResult]) -> None:
    if kind is Order:
        for number in range(3):
            Repository(acme, Order).create(order_number=f"o-{number}")
    repository = Repository(acme, kind)
    first = repository.page(limit=1)
    assert len(first.items) == 1
    if first.next_cursor is not None:
        assert repository.page(limit=1, after=first.next_cursor).items != first.items


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!", "AAAA", "e30", "bnVsbA" * 9, "é", "\x00", "WzFd"]
)
def test_garbage_is_no_cursor(products: ProductRepository, cursor: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        products.page(after=cursor)


def test_a_cursor_belongs_to_one_list(products: ProductRepository) -> None:
    cursor = products.page(limit=1, order_by="name").next_cursor
    assert cursor is not None
    with pytest.raises(ValueError, match="another list"):
        products.page(after=cursor, order_by="-name")
    with pytest.raises(ValueError, match="no cursor"):
        products.page(after=cursor[:-1], order_by="name")


def test_iterate_streams_in_order(products: ProductRepository) -> None:
    streamed = products.iterate(order_by="-name", sku__startswith="p-", batch_rows=2)
    assert [row.name for row in streamed] == ["Drum", "Crate", "Bell", "Anvil"]


def test_iterate_holds_few_rows_at_a_time(database: Database) -> None:
    with database.session(tenant="acme") as session:
        Repository(session, Product).create_many({"name": f"p{n}"} for n in range(300))
    with database.session(tenant="acme") as session:
        most = 0
        for row in Repository(session, Product).iterate(batch_rows=50):
            assert row.name
            most = max(most, len(session.identity_map))
        assert most <= 101


# Loading along


def test_parents_with_children_cost_a_constant_number_of_queries(
    acme: UnitOfWork, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    products = Repository(acme, Product)
    counts = []
    for _ in range(2):
        for number in range(7):
            products.create(name="many", features=[Feature(title=f"f{number}") for _ in range(3)])
        acme.expunge_all()
        with queries() as seen:
            rows = products.list(with_=["features.test_cases"])
            titles = [feature.title for row in rows for feature in row.features]
            assert [feature.test_cases for row in rows for feature in row.features]
        assert "acme feature" in titles
        counts.append(len(seen))
    assert counts == [3, 3]


def test_relationships_are_named_in_any_way(acme: UnitOfWork) -> None:
    results = Repository(acme, TestResult)
    for way in ("run.application", TestResult.run, joinedload(TestResult.run)):
        acme.expunge_all()
        found = results.list(with_=[way])[0]
        assert "run" in found.__dict__
    with pytest.raises(ValueError, match="no relationship 'runs'"):
        results.list(with_=["runs"])


def test_lists_are_typed(acme: UnitOfWork) -> None:
    repository = Repository(acme, TestResult)
    name = repository.list(status="failed")[0].run.application.name
    assert_type(name, str)
    assert name == "acme shop"
    assert_type(ProductRepository(acme).get(1), Product | None)
