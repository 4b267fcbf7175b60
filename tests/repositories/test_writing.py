"""What repositories create, change and delete, and what they say of broken keys."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from qadb.errors import ConflictError, RowNotFound, TenantViolation
from qadb.models import (
    Application,
    Bug,
    Feature,
    Order,
    Product,
    Role,
    TestCase,
    TestResult,
    TestRun,
    User,
)
from qadb.repositories.generic.base import Repository
from tests.repositories.shop import ProductRepository, names

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_create_returns_the_row_with_what_the_database_fills_in(acme: UnitOfWork) -> None:
    row = Repository(acme, Product).create(name="Fan", price=Decimal("9.99"))
    assert (row.tenant_id, row.status, row.inventory_quantity) == ("acme", "draft", 0)
    assert row.created_at.tzinfo is UTC
    order = Repository(acme, Order).create(order_number="o-1")
    assert isinstance(order.id, UUID)


def test_create_refuses_what_the_model_refuses(acme: UnitOfWork) -> None:
    repository = Repository(acme, Product)
    with pytest.raises(ValueError, match="status"):
        repository.create(name="Fan", status="sold")
    with pytest.raises(TypeError, match="colour"):
        repository.create(name="Fan", colour="red")
    with pytest.raises(TenantViolation):
        repository.create(name="Fan", tenant_id="rival")


def test_create_and_add_take_objects_for_relationships(acme: UnitOfWork) -> None:
    role = Repository(acme, Role).list()[0]
    held = list(role.users)  # what the session has read already, and does not read again
    made = Repository(acme, User).create(username="maker", role=role)
    added = Repository(acme, User).add(User(username="adder", role=role))
    assert (made.role_id, added.role_id) == (role.id, role.id)
    assert role.users == [*held, made, added]
    feature = Repository(acme, Feature).create(title="Fly", product=Product(name="Wing"))
    assert feature.product_id == Repository(acme, Product).list(name="Wing")[0].id


def test_what_was_pending_is_not_blamed_on_the_row_that_is_created(acme: UnitOfWork) -> None:
    taken = Repository(acme, Product).list()[0].sku
    acme.add(Product(name="Twin", sku=taken))
    with pytest.raises(ConflictError) as caught:
        Repository(acme, Product).create(name="Fan", sku="fan")
    assert caught.value.constraint == "idx_products_tenant_id_sku"
    assert caught.value.values.get("sku", taken) == taken


def test_repositories_never_commit(database: Database) -> None:
    with database._unit("acme", None, all_tenants=False, read_only=False) as session:
        ProductRepository(session).create(name="Fan")
    with database.session(tenant="acme") as session:
        assert not ProductRepository(session).exists(name="Fan")


def test_update_changes_a_row_or_the_row_of_a_key(products: ProductRepository) -> None:
    row = products.list(name="Bell")[0]
    assert products.update(row, name="Gong") is row
    assert products.update(row.id, category=None).category is None
    assert names(products.list(name="Gong")) == ["Gong"]
    with pytest.raises(RowNotFound):
        products.update(0, name="x")
    with pytest.raises(ValueError, match="no column 'colour'"):
        products.update(row, colour="red")
    with pytest.raises(ValueError, match="status"):
        products.update(row, status="sold")


def test_an_object_of_another_session_stands_for_its_key(database: Database) -> None:
    with database.session(tenant="acme") as session:
        product = Repository(session, Product).list()[0]
        bug = Repository(session, Bug).list()[0]
    with database.session(tenant="acme") as session:
        repository = Repository(session, Product)
        assert repository.update(product, name="Gong") is repository.get(product.id)
        repository.delete(product)
        Repository(session, Bug).delete(bug)
    with database.session(tenant="acme") as session:
        assert Repository(session, Bug).count() == 0
        restored = Repository(session, Product).restore(product)
        assert (restored.name, restored.deleted_at) == ("Gong", None)


def test_an_object_that_the_session_does_not_see_is_not_changed(
    database: Database, acme: UnitOfWork
) -> None:
    repository = Repository(acme, Product)
    with pytest.raises(RowNotFound, match="was not written yet"):
        repository.update(Product(name="Fan"), name="Gong")
    with database.session(tenant="rival", read_only=True) as session:
        product = Repository(session, Product).list()[0]
    with pytest.raises(RowNotFound):
        repository.update(product, name="Gong")
    with pytest.raises(RowNotFound):
        repository.delete(product)


def test_deletion_is_soft_where_the_model_says_so(products: ProductRepository) -> None:
    assert products.count(name="Eel") == 0
    assert products.count(name="Eel", include_deleted=True) == 1
    assert names(products.list(deleted_at__isnull=False)) == ["Eel"]
    eel = products.list(name="Eel", include_deleted=True)[0]
    assert products.get(eel.id) is None
    assert products.get(eel.id, include_deleted=True) is eel
    assert not products.exists(name="Eel")
    assert products.get_by(name="Eel") is None
    assert [row.name for row in products.iterate(name="Eel")] == []
    assert products.page(name="Eel").items == []
    with pytest.raises(RowNotFound):
        products.delete(eel.id)


def test_a_deleted_row_can_be_restored(products: ProductRepository) -> None:
    eel = products.list(name="Eel", include_deleted=True)[0]
    assert products.restore(eel.id) is eel
    assert products.exists(name="Eel")
    with pytest.raises(TypeError, match="not deleted softly"):
        Repository(products.session, TestRun).restore(1)


def test_a_row_whose_key_is_taken_cannot_be_restored(products: ProductRepository) -> None:
    eel = products.list(name="Eel", include_deleted=True)[0]
    products.create(name="Eel again", sku="p-4")
    with pytest.raises(ConflictError) as broken:
        products.restore(eel)
    assert broken.value.constraint == "idx_products_tenant_id_sku"


def test_other_rows_are_deleted_for_good(acme: UnitOfWork) -> None:
    runs = Repository(acme, TestRun)
    runs.delete(runs.list()[0].id)
    assert runs.count() == 0
    assert Repository(acme, TestResult).count() == 0


# Broken keys


def test_a_broken_key_names_table_constraint_and_values(acme: UnitOfWork) -> None:
    with pytest.raises(ConflictError) as broken:
        Repository(acme, Application).create(code="shop", name="again")
    error = broken.value
    assert (error.table, error.constraint) == ("applications", "idx_applications_tenant_id_code")
    assert error.values == {"tenant_id": "acme", "code": "shop"}
    assert error.message == (
        "A row of applications breaks idx_applications_tenant_id_code:"
        " tenant_id='acme', code='shop'."
    )


def test_a_conflict_tells_what_an_expired_row_holds(acme: UnitOfWork) -> None:
    applications = Repository(acme, Application)
    gone = applications.create(code="till", name="Till")
    applications.delete(gone)
    applications.create(code="till", name="New till")
    acme.expire(gone)
    with pytest.raises(ConflictError) as broken, acme.begin_nested():
        applications.update(gone, deleted_at=None)
    assert broken.value.values == {"tenant_id": "acme", "code": "till"}


def test_a_broken_foreign_key_is_named(acme: UnitOfWork) -> None:
    with pytest.raises(ConflictError) as broken:
        Repository(acme, Feature).create(title="f", product_id=4711)
    assert broken.value.table == "features"
    assert broken.value.constraint == "fk_features_product_id"
    assert broken.value.values == {"product_id": 4711}


def test_a_broken_check_is_named_without_secrets(acme: UnitOfWork) -> None:
    with pytest.raises(ConflictError) as broken:
        Repository(acme, User).create_many([{"username": "ada", "password_hash": "s3cret"}])
    assert broken.value.constraint == "ck_users_password_hash_length"
    assert broken.value.table == "users"
    assert "s3cret" not in str(broken.value)


def test_what_others_refer_to_cannot_be_deleted(acme: UnitOfWork) -> None:
    cases = Repository(acme, TestCase)
    acme.delete(cases.list()[0])
    with pytest.raises(ConflictError):
        cases.create(case_key="x", name="x")
