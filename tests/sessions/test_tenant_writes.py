"""A tenant's session stamps what it writes and changes its own rows only."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Select, delete, func, insert, inspect, literal, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from qadb.errors import TenantViolation
from qadb.models import (
    Application,
    Bug,
    Feature,
    Permission,
    Product,
    Role,
    Tenant,
    TestCase,
    TestCaseFeature,
    TestResult,
    TestRun,
    User,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.database import Database
    from qadb.models import Base
    from qadb.sessions.unit import UnitOfWork


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """What the other tenant has."""
    models = (User, Product, Feature, TestCase, TestCaseFeature, TestRun, TestResult, Bug)
    with database.session(tenant="rival") as session:
        return {
            model.__tablename__: [tuple(row) for row in session.execute(_columns(model))]
            for model in models
        }


def test_new_rows_get_the_tenant(database: Database) -> None:
    with database.session(tenant="acme") as session:
        user = User(username="ada")
        session.add(user)
        session.flush()
        assert user.tenant_id == "acme"


def test_new_rows_of_a_graph_get_the_tenant(database: Database) -> None:
    with database.session(tenant="acme") as session:
        product = Product(name="p", features=[Feature(title="f", test_cases=[_case("c")])])
        session.add(product)
    with database.session(tenant="acme") as session:
        found = session.scalars(select(Product).where(Product.name == "p")).one()
        assert found.features[0].test_cases[0].tenant_id == "acme"
        links = session.scalars(select(TestCaseFeature.tenant_id)).all()
        assert links == ["acme", "acme"]


@pytest.mark.parametrize("amount", [1, 3])
def test_rows_in_bulk_get_the_tenant(database: Database, amount: int) -> None:
    rows = [{"name": f"p{number}"} for number in range(amount)]
    with database.session(tenant="acme") as session:
        session.execute(insert(Product), rows)
        session.execute(insert(Product).values(name="single"))
        made = session.scalars(insert(Product).returning(Product), rows).all()
        assert {product.tenant_id for product in made} == {"acme"}
    with database.session(tenant="acme") as session:
        assert session.scalar(select(func.count(Product.id))) == 2 * amount + 2


def _grant(session: UnitOfWork) -> None:
    role = session.scalars(select(Role)).one()
    role.permissions.append(Permission(code="all"))


FOREIGN: dict[str, Callable[[UnitOfWork], object]] = {
    "a new object": lambda s: s.add(User(username="eve", tenant_id="rival")),
    "a new object with an SQL expression": lambda s: s.add(
        User(username="eve", tenant_id=literal("rival"))
    ),
    "a new object by its relationship": lambda s: s.add(
        User(username="eve", tenant=Tenant(id="third", name="Third"))
    ),
    "an object that changes hands": lambda s: setattr(_own_bug(s), "tenant_id", "rival"),
    "an object that changes hands by expression": lambda s: setattr(
        _own_bug(s), "tenant_id", literal("rival")
    ),
    "INSERT": lambda s: s.execute(insert(Product).values(name="p", tenant_id="rival")),
    "INSERT of an expression": lambda s: s.execute(
        insert(Product).values(name="p", tenant_id=literal("rival"))
    ),
    "INSERT with parameters": lambda s: s.execute(
        insert(Product), {"name": "p", "tenant_id": "rival"}
    ),
    "INSERT of many": lambda s: s.execute(
        insert(Product), [{"name": "p"}, {"name": "q", "tenant_id": "rival"}]
    ),
    "INSERT of several VALUES": lambda s: s.execute(
        insert(Product).values(
            [{"name": "p", "tenant_id": "acme"}, {"name": "q", "tenant_id": "rival"}]
        )
    ),
    "INSERT of several VALUES without a tenant": lambda s: s.execute(
        insert(Product).values([{"name": "p"}, {"name": "q"}])
    ),
    "INSERT from a query": lambda s: s.execute(
        insert(Product).from_select(["name", "tenant_id"], select(User.username, literal("rival")))
    ),
    "INSERT from a query without a tenant": lambda s: s.execute(
        insert(Product).from_select(["name"], select(User.username))
    ),
    "UPDATE": lambda s: s.execute(update(Bug).values(tenant_id="rival")),
    "UPDATE by attribute": lambda s: s.execute(update(Bug).values({Bug.tenant_id: "rival"})),
    "UPDATE with parameters": lambda s: s.execute(update(Bug), {"tenant_id": "rival"}),
    "a tenant's own name": lambda s: s.execute(update(Tenant).values(id="rival2")),
    "another tenant": lambda s: s.add(Tenant(id="third", name="Third")),
    "a shared row": lambda s: s.add(Role(name="root")),
    "a shared row's change": lambda s: setattr(s.scalars(select(Role)).one(), "name", "root"),
    "a shared row's end": lambda s: s.delete(s.scalars(select(Role)).one()),
    "all shared rows": lambda s: s.execute(update(Role).values(name="root")),
    "a shared link": _grant,
}


@pytest.mark.parametrize("way", FOREIGN)
def test_what_is_not_the_tenants_is_not_written(database: Database, way: str) -> None:
    before = everything(database)

    def work(session: UnitOfWork) -> None:
        FOREIGN[way](session)
        session.flush()

    with pytest.raises(TenantViolation):
        database.run(work, tenant="acme")
    assert everything(database) == before
    with database.session(all_tenants=True) as session:
        assert session.scalars(select(Role.name)).all() == ["viewer"]


def test_updates_and_deletes_reach_the_tenants_rows_only(database: Database) -> None:
    before = everything(database)
    with database.session(tenant="acme") as session:
        session.execute(update(User).values(full_name="Changed"))
        session.execute(update(Bug).values(title="changed").where(Bug.id > 0))
        session.execute(
            update(TestCase)
            .values(name=select(func.max(User.username)).scalar_subquery())
            .where(TestCase.id.in_(select(TestResult.test_case_id)))
            .execution_options(synchronize_session=False)
        )
        assert session.scalars(select(TestCase.name)).all() == ["acme-user"]
        session.query(Feature).update({"title": "changed"})
        session.query(Bug).delete()
        for model in (TestResult, TestRun, TestCaseFeature, TestCase, Feature, Product):
            session.execute(delete(model))
        assert session.scalar(select(func.count(Product.id))) == 0
    assert everything(database) == before


def test_update_returns_the_tenants_rows_only(acme: UnitOfWork) -> None:
    changed = acme.scalars(update(Bug).values(title="x").returning(Bug)).all()
    assert [bug.tenant_id for bug in changed] == ["acme"]
    gone = acme.scalars(delete(Bug).returning(Bug.tenant_id)).all()
    assert gone == ["acme"]


def test_an_expression_may_be_assigned(acme: UnitOfWork) -> None:
    user = acme.scalars(select(User)).one()
    user.failed_login_attempts = User.failed_login_attempts + 1
    acme.flush()
    assert user.failed_login_attempts == 1


def test_an_assigned_expression_cannot_read_other_tenants(acme: UnitOfWork) -> None:
    user = acme.scalars(select(User)).one()
    spied = select(func.max(TestResult.message)).scalar_subquery()
    user.full_name = spied
    with pytest.raises(TenantViolation):
        acme.flush()


def test_every_way_of_an_upsert_is_confined(database: Database) -> None:
    with database.session(tenant="rival") as session:
        key = session.scalars(select(Application.id)).one()
    row = {"id": key, "code": "taken", "name": "Taken"}
    statement = database.backend.upserts.insert_or_update(
        Application, row, key=["id"], predicate=None, changes=["name"]
    )
    with suppress(InvalidRequestError):  # SQLite takes several, PostgreSQL one
        statement = statement.on_conflict_do_update(index_elements=["id"], set_={"name": "x"})  # type: ignore[attr-defined]  # of both dialects
    with database.session(tenant="acme") as session:
        session.execute(statement)
    with database.session(tenant="rival") as session:
        assert session.scalars(select(Application.name)).one() == "rival shop"


def test_an_upsert_does_not_touch_another_tenants_row(database: Database) -> None:
    with database.session(tenant="rival") as session:
        key = session.scalars(select(Application.id)).one()
    before = everything(database)
    with database.session(tenant="acme") as session:
        statement = session.backend.upserts.insert_or_update(
            Application,
            {"id": key, "code": "taken", "name": "Taken"},
            key=["id"],
            predicate=None,
            changes=["name"],
        )
        assert session.scalars(statement.returning(Application.id)).all() == []
    assert everything(database) == before
    with database.session(tenant="rival") as session:
        assert session.scalars(select(Application.name)).one() == "rival shop"


def test_the_own_tenant_may_change_its_name(database: Database) -> None:
    with database.session(tenant="acme") as session:
        session.scalars(select(Tenant)).one().name = "Acme Ltd"
    with database.session(all_tenants=True) as session:
        names = session.scalars(select(Tenant.name).order_by(Tenant.id)).all()
    assert names == ["Acme Ltd", "Default", "Rival"]


def test_all_tenants_may_write_for_any(database: Database) -> None:
    with database.session(all_tenants=True) as session:
        session.add_all([User(username="eve", tenant_id="rival"), User(username="max")])
        assert type(session).__mro__[1] is Session
    with database.session(all_tenants=True) as session:
        query = select(User.username, User.tenant_id).where(User.username.in_(["eve", "max"]))
        assert sorted(map(tuple, session.execute(query))) == [("eve", "rival"), ("max", "default")]


def _columns(model: type[Base]) -> Select[*tuple[object, ...]]:
    return select(*(getattr(model, column.key) for column in inspect(model).column_attrs))


def _case(key: str) -> TestCase:
    return TestCase(case_key=key, name=key)


def _own_bug(session: UnitOfWork) -> Bug:
    return session.scalars(select(Bug)).one()
