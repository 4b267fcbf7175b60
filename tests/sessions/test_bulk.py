"""Rows in bulk, and the database's own wall between tenants."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Table, select, text

from qadb.backends.values import ConnectionOptions
from qadb.database import Database
from qadb.errors import QadbError, TenantViolation
from qadb.models import Base, Product, Role
from qadb.sessions.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

PRODUCTS: Table = Base.metadata.tables["products"]
ROLES: Table = Base.metadata.tables["roles"]


def names(database: Database, tenant: str = "acme") -> list[str]:
    with database.session(tenant=tenant) as session:
        return list(session.scalars(select(Product.name).order_by(Product.id)))


def test_rows_in_bulk_are_stamped(database: Database) -> None:
    with database.session(tenant="acme") as session:
        assert insert_rows(session, PRODUCTS, ["name"], [("a",), ("b",)]) == 2
        assert insert_rows(session, PRODUCTS, ["tenant_id", "name"], [("acme", "c")]) == 1
        assert insert_rows(session, PRODUCTS, ["name"], iter(())) == 0
    assert names(database) == ["acme shop", "a", "b", "c"]
    assert names(database, "rival") == ["rival shop"]


def test_pending_objects_go_first(database: Database) -> None:
    with database.session(tenant="acme") as session:
        session.add(Product(name="first"))
        insert_rows(session, PRODUCTS, ["name"], [("second",)])
    assert names(database) == ["acme shop", "first", "second"]


def test_rows_in_bulk_for_another_tenant_are_refused(database: Database) -> None:
    with database.session(tenant="acme") as session:
        rows = [("acme", "a"), ("rival", "b")]
        with pytest.raises(TenantViolation):
            insert_rows(session, PRODUCTS, ["tenant_id", "name"], rows)
        with pytest.raises(TenantViolation):
            insert_rows(session, ROLES, ["name"], [("root",)])
        session.add(Product(name="goes on"))
    assert names(database) == ["acme shop", "goes on"]


def test_rows_in_bulk_go_in_all_or_none(database: Database) -> None:
    def rows() -> Iterator[tuple[str]]:
        yield ("a",)
        raise ZeroDivisionError

    with database.session(tenant="acme") as session:
        with pytest.raises(ZeroDivisionError):
            insert_rows(session, PRODUCTS, ["name"], rows())
        insert_rows(session, PRODUCTS, ["name"], [("b",)])
    assert names(database) == ["acme shop", "b"]


def test_for_all_tenants_rows_go_where_they_say(database: Database) -> None:
    with database.session(all_tenants=True) as session:
        insert_rows(session, PRODUCTS, ["tenant_id", "name"], [("rival", "a")])
        insert_rows(session, ROLES, ["name"], [("root",)])
    assert names(database, "rival") == ["rival shop", "a"]
    with database.session(all_tenants=True) as session:
        assert session.scalars(select(Role.name).order_by(Role.id)).all() == ["viewer", "root"]


@pytest.fixture
def ordinary(postgresql_tenants: Database) -> Iterator[Database]:
    """The database as a role that owns nothing, over a pool of one connection."""
    with postgresql_tenants.session(all_tenants=True) as session:
        role = f"ordinary_{session.scalar(text('SELECT pg_backend_pid()'))}"
        session.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'pw'"))
        session.execute(
            text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        )
    with Database(
        replace(postgresql_tenants.url, user=role, password="pw"),
        options=ConnectionOptions(pool_size=1, max_overflow=0),
        connect_retries=0,
    ) as database:
        yield database
    with postgresql_tenants.session(all_tenants=True) as session:
        session.execute(text(f"DROP OWNED BY {role}"))
        session.execute(text(f"DROP ROLE {role}"))


def test_an_ordinary_role_works_in_its_tenant(ordinary: Database) -> None:
    with ordinary.session(tenant="acme") as session:
        session.add(Product(name="a"))
        insert_rows(session, PRODUCTS, ["name"], [("b",)])
    assert names(ordinary) == ["acme shop", "a", "b"]


def test_raw_sql_of_an_ordinary_role_stays_in_the_tenant(ordinary: Database) -> None:
    everything = text("SELECT name FROM products")
    with ordinary.session(tenant="acme") as session, session.unguarded():
        assert session.scalars(everything).all() == ["acme shop"]
        session.commit()
        assert session.scalars(everything).all() == ["acme shop"]
    with ordinary.connect() as connection:  # the same connection, out of the pool
        assert connection.scalars(everything).all() == []
    with ordinary.session(tenant="rival") as session, session.unguarded():
        assert session.scalars(everything).all() == ["rival shop"]


def test_an_ordinary_role_has_no_session_for_all_tenants(ordinary: Database) -> None:
    with pytest.raises(QadbError), ordinary.session(all_tenants=True) as session:
        session.scalars(select(Product)).all()
