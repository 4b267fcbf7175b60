"""Many rows at once, and rows that may be there already."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from qadb.errors import ConflictError, TenantViolation
from qadb.models import (
    Application,
    Order,
    Product,
    Tenant,
    TestCase,
    TestResult,
    TestRun,
    User,
)
from qadb.repositories.generic.base import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork


def names(session: Session) -> list[str]:
    return [row.name for row in Repository(session, Product).list(name__ne="acme shop")]


# Many rows


def test_mappings_and_objects_go_in_alike(acme: UnitOfWork) -> None:
    products = Repository(acme, Product)
    rows: list[Product | dict[str, object]] = [
        {"name": "a", "price": Decimal("1.50"), "tags": ["x", "y"]},
        {"name": "b"},
        Product(name="c", extra_data={"k": [1, None]}),
        {"name": "d", "tenant_id": "acme"},
    ]
    assert products.create_many(rows) == 4
    found = products.list(name__in=["a", "b", "c", "d"])
    assert [row.name for row in found] == ["a", "b", "c", "d"]
    assert found[0].price == Decimal("1.50")
    assert found[0].tags == ["x", "y"]
    assert found[2].extra_data == {"k": [1, None]}
    assert {row.tenant_id for row in found} == {"acme"}
    assert {row.status for row in found} == {"draft"}


def test_what_python_fills_in_is_filled_in(acme: UnitOfWork) -> None:
    orders = Repository(acme, Order)
    orders.create_many({"order_number": f"o-{number}"} for number in range(3))
    assert len({order.id for order in orders.list()}) == 3


def test_what_sql_fills_in_is_filled_in(acme: UnitOfWork) -> None:
    users = Repository(acme, User)
    assert users.create_many({"username": f"user-{number}"} for number in range(3)) == 3
    assert {user.role.name for user in users.list()} == {"viewer"}


def test_composite_keys_go_in(acme: UnitOfWork) -> None:
    run, case = Repository(acme, TestRun).list()[0], Repository(acme, TestCase).list()[0]
    results = Repository(acme, TestResult)
    key = {"run_id": run.id, "test_case_id": case.id, "status": "passed"}
    assert results.create_many({**key, "occurrence": number} for number in range(2, 9)) == 7
    assert results.count(status="passed") == 7


def test_nothing_is_many_too(acme: UnitOfWork) -> None:
    assert Repository(acme, Product).create_many([]) == 0


@pytest.mark.parametrize(
    ("row", "error", "words"),
    [
        ({"name": "b", "colour": "red"}, ValueError, "no column 'colour'"),
        ({}, ValueError, "no values"),
        ({"name": "b", "tenant_id": "rival"}, TenantViolation, "rival"),
        ({"name": "b", "status": "sold"}, ConflictError, "ck_products_status_known"),
        (Tenant(id="x", name="x"), TypeError, "no Product"),
    ],
)
def test_a_bad_row_keeps_all_of_them_out(
    acme: UnitOfWork, row: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Repository(acme, Product).create_many([{"name": "a"}, {"name": "c", "sku": "c"}, row])
    Repository(acme, Product).create_many([{"name": "goes on"}])
    assert names(acme) == ["goes on"]


def test_a_broken_key_in_bulk_is_named(acme: UnitOfWork) -> None:
    with pytest.raises(ConflictError) as broken:
        Repository(acme, Product).create_many([{"name": "a", "sku": "same"}] * 2)
    assert broken.value.table == "products"
    assert broken.value.constraint == "idx_products_tenant_id_sku"


def test_plain_sessions_have_repositories_too(database: Database) -> None:
    with Session(database.engine()) as session, session.begin():
        products = Repository(session, Product)
        assert products.create_many([{"name": "a"}, Product(name="b")]) == 2
        assert products.upsert({"name": "c", "tenant_id": "acme", "sku": "c"}).name == "c"
        assert products.count() == 5


# Upserts


def test_an_upsert_inserts_what_is_missing(acme: UnitOfWork) -> None:
    product = Repository(acme, Product).upsert({"sku": "n-1", "name": "new"})
    assert (product.name, product.tenant_id, product.status) == ("new", "acme", "draft")


def test_an_upsert_changes_the_row_that_is_there(acme: UnitOfWork) -> None:
    products = Repository(acme, Product)
    before = products.create(sku="n-1", name="new", category="kept")
    acme.execute(update(Product).values(updated_at=datetime(2000, 1, 1, tzinfo=UTC)))
    after = products.upsert({"sku": "n-1", "name": "newer"})
    assert after is before
    assert (after.name, after.category) == ("newer", "kept")
    assert after.updated_at.year > 2000
    assert products.count(sku="n-1") == 1


def test_an_upsert_changes_what_it_is_told(acme: UnitOfWork) -> None:
    products = Repository(acme, Product)
    products.create(sku="n-1", name="new", category="old")
    changed = products.upsert(
        {"sku": "n-1", "name": "x", "category": "y"}, key=["sku"], changes=["category"]
    )
    assert (changed.name, changed.category) == ("new", "y")
    same = products.upsert({"sku": "n-1", "name": "x"}, changes=[])
    assert same.name == "new"


def test_an_upsert_passes_over_deleted_rows(acme: UnitOfWork) -> None:
    products = Repository(acme, Product)
    gone = products.create(sku="n-1", name="gone")
    products.delete(gone)
    assert products.upsert({"sku": "n-1", "name": "new"}) is not gone
    assert products.count(sku="n-1", include_deleted=True) == 2


def test_an_upsert_goes_by_any_unique_key(acme: UnitOfWork) -> None:
    runs = Repository(acme, TestRun)
    run = runs.list()[0]
    row = {"run_key": "r1", "application_id": run.application_id, "branch": "main"}
    assert runs.upsert(row) is run
    assert run.branch == "main"
    result = Repository(acme, TestResult).list()[0]
    key = {"run_id": run.id, "test_case_id": result.test_case_id, "occurrence": 1, "attempt": 1}
    assert Repository(acme, TestResult).upsert({**key, "status": "error"}) is result
    assert result.status == "error"


def test_the_same_key_of_two_tenants_is_two_rows(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            found = Repository(session, Application).upsert({"code": "shop", "name": "renamed"})
            assert found.tenant_id == tenant
            assert Repository(session, Application).count() == 1


def test_an_upsert_by_another_tenants_id_is_refused(database: Database) -> None:
    with database.session(tenant="rival") as session:
        key = Repository(session, Product).list()[0].id
    with database.session(tenant="acme") as session:
        with pytest.raises(ConflictError) as refused:
            Repository(session, Product).upsert({"id": key, "name": "taken"}, key=["id"])
        assert refused.value.values == {"id": key}
    with database.session(tenant="rival") as session:
        assert Repository(session, Product).list()[0].name == "rival shop"


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        ({"name": "x"}, None, "name the unique key"),
        ({"name": "x", "sku": "s"}, ["name"], "name the unique key"),
        ({"colour": "x"}, None, "no column 'colour'"),
        ({"sku": "n", "name": "x", "status": "sold"}, None, "status"),
    ],
)
def test_wrong_upserts_raise(
    acme: UnitOfWork, values: dict[str, object], key: list[str] | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Repository(acme, Product).upsert(values, key=key)


def test_many_upserts_at_once_make_one_row(database: Database) -> None:
    def work(session: UnitOfWork) -> None:
        Repository(session, Product).upsert({"sku": "n-1", "name": "new"})

    threads = [threading.Thread(target=lambda: database.run(work, tenant="acme")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session(tenant="acme") as session:
        assert Repository(session, Product).count(sku="n-1") == 1


def test_rows_may_come_from_a_stream(acme: UnitOfWork) -> None:
    taken = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal taken
        for number in range(2000):
            taken += 1
            yield {"name": f"p{number}"}

    assert Repository(acme, Product).create_many(rows()) == 2000
    assert taken == 2000
