"""A unit of work: its transaction, what the database is told of it, reading, trying again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import InvalidRequestError

from qadb.backends.values import Actor, ConnectionOptions
from qadb.errors import (
    ConflictError,
    DatabaseUnreachable,
    ReadOnlySession,
)
from qadb.models import Application, Product, User
from qadb.sessions.bulk import insert_rows
from tests.sessions.places import open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

ACTOR = Actor(user_id=1, ip_address="192.0.2.7", user_agent="pytest", session_id="s-1")


def names(database: Database) -> list[str]:
    with database.session(tenant="acme") as session:
        return list(session.scalars(select(Product.name).order_by(Product.id)))


def test_a_unit_commits_on_success(database: Database) -> None:
    with database.session(tenant="acme") as session:
        session.add(Product(name="new"))
    assert names(database) == ["acme shop", "new"]


def test_a_unit_rolls_back_on_error(database: Database) -> None:
    def work(session: UnitOfWork) -> None:
        session.add(Product(name="new"))
        session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.run(work, tenant="acme")
    assert names(database) == ["acme shop"]


def test_objects_stay_readable_afterwards(database: Database) -> None:
    with database.session(tenant="acme") as session:
        product = Product(name="new")
        session.add(product)
    assert (product.name, product.tenant_id) == ("new", "acme")


def test_a_unit_without_a_tenant_is_for_the_default_one(database: Database) -> None:
    with database.session() as session:
        session.add(Product(name="new"))
        assert session.tenant == "default"
        assert [product.name for product in session.scalars(select(Product))] == ["new"]


def test_one_tenant_and_all_of_them_exclude_each_other(database: Database) -> None:
    with (
        pytest.raises(ValueError, match="or for all"),
        database.session(tenant="acme", all_tenants=True),
    ):
        pass
    with pytest.raises(ValueError, match="empty"), database.session(tenant=""):
        pass


def test_driver_errors_come_out_as_ours(database: Database) -> None:
    with pytest.raises(ConflictError), database.session(tenant="acme") as session:
        session.add(Application(code="shop", name="again"))


def test_a_unit_that_has_ended_stays_so(database: Database) -> None:
    with database.session(tenant="acme") as session:
        session.add(Product(name="new"))
    with pytest.raises(InvalidRequestError, match="permanently closed"):
        session.scalars(select(Product)).all()
    assert names(database) == ["acme shop", "new"]


def test_savepoints_work(database: Database) -> None:
    with database.session(tenant="acme") as session:
        with session.begin_nested():
            session.add(Product(name="kept"))
        savepoint = session.begin_nested()
        session.add(Product(name="lost"))
        session.flush()
        savepoint.rollback()
    assert names(database) == ["acme shop", "kept"]


# What the database is told.


def test_the_actor_reaches_the_audit_log(database: Database) -> None:
    with database.session(tenant="acme", actor=ACTOR) as session:
        session.add(Product(name="first"))
        session.commit()
        session.add(Product(name="second"))  # a new transaction of the same unit
    with database.session(tenant="acme") as session:
        session.add(Product(name="third"))
    with database.session(all_tenants=True) as session:
        entries = session.execute(
            text(
                "SELECT user_id, ip_address, user_agent, session_id FROM audit_logs"
                " WHERE table_name = 'products' ORDER BY id DESC LIMIT 3"
            )
        ).all()
    told = (1, "192.0.2.7", "pytest", "s-1")
    assert list(map(tuple, entries)) == [(None,) * 4, told, told]


def test_nothing_is_told_of_who_is_no_actor(database: Database) -> None:
    with database.session(tenant="acme", actor=Actor(session_id="s-2")) as session:
        session.add(Product(name="first"))
    with database.session(all_tenants=True) as session:
        query = text("SELECT user_id, session_id FROM audit_logs ORDER BY id DESC LIMIT 1")
        assert session.execute(query).one() == (None, "s-2")


def test_the_server_knows_the_tenant_in_each_transaction(postgresql_tenants: Database) -> None:
    current = text("SELECT current_setting('qadb.tenant', true)")
    with postgresql_tenants.session(tenant="acme") as session, session.unguarded():
        assert session.scalar(current) == "acme"
        session.commit()
        assert session.scalar(current) == "acme"
        session.rollback()
        assert session.scalar(current) == "acme"
    with postgresql_tenants.session(all_tenants=True) as session:
        assert session.scalar(current) in {None, ""}
        assert session.scalar(text("SHOW row_security")) == "off"


# Reading only.


def test_a_read_only_unit_reads(database: Database) -> None:
    with database.session(tenant="acme", read_only=True) as session:
        product = session.scalars(select(Product)).one()
        assert product.name == "acme shop"
        product.name = "acme shop"  # no change


CHANGES: dict[str, Callable[[UnitOfWork], object]] = {
    "a change": lambda s: setattr(s.scalars(select(Product)).first(), "name", "x"),
    "a removal": lambda s: s.delete(s.scalars(select(User)).first()),
    "an addition": lambda s: s.add(Product(name="x")),
    "INSERT": lambda s: s.execute(insert(Product).values(name="x")),
    "rows in bulk": lambda s: insert_rows(
        s, Product.metadata.tables["products"], ["tenant_id", "name"], [("acme", "x")]
    ),
    "the session's bulk methods": lambda s: s.bulk_save_objects(
        [Product(name="x", tenant_id="acme")]
    ),
    "a row lock": lambda s: s.scalars(select(Product).with_for_update()).all(),
    "a row lock by key": lambda s: s.get(Product, 1, with_for_update=True),
}


@pytest.mark.parametrize("all_tenants", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_read_only_unit_refuses(database: Database, change: str, all_tenants: bool) -> None:
    tenant = None if all_tenants else "acme"
    with (
        pytest.raises(ReadOnlySession),
        database.session(tenant=tenant, all_tenants=all_tenants, read_only=True) as session,
    ):
        CHANGES[change](session)
    assert names(database) == ["acme shop"]


def test_a_read_only_unit_refuses_raw_sql_that_writes(database: Database) -> None:
    for sql in ("UPDATE products SET name = 'x'", "CREATE TABLE mine (id INTEGER)"):
        with (
            pytest.raises(ReadOnlySession),
            database.session(all_tenants=True, read_only=True) as session,
        ):
            session.execute(text(sql))
    with database.session(all_tenants=True, read_only=True) as session:
        assert session.scalar(text("SELECT count(*) FROM products")) == 2
    assert names(database) == ["acme shop"]


def test_reading_goes_to_the_replica(database: Database, tenants_url: str, sqlite_url: str) -> None:
    absent = open_database(sqlite_url).url
    with open_database(tenants_url, replica_url=absent) as split:
        with pytest.raises(DatabaseUnreachable), split.session(read_only=True):
            pass  # it falls back to nothing
        with split.session(tenant="acme") as session:
            session.add(Product(name="new"))
    with (
        open_database(sqlite_url, replica_url=database.url) as split,
        split.session(tenant="acme", read_only=True) as session,
    ):
        assert session.scalars(select(Product.name)).all() == ["acme shop", "new"]


# Slow queries.


def test_slow_queries_are_logged_without_their_values(
    tenants_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = ConnectionOptions(slow_query_ms=0)
    with (
        caplog.at_level(logging.WARNING, "qadb.sql"),
        open_database(tenants_url, options=options) as database,
        database.session(tenant="acme") as session,
    ):
        session.scalars(select(User).where(User.email == "secret@example.org")).all()
    logged = [record.getMessage() for record in caplog.records if record.name == "qadb.sql"]
    assert any("FROM users WHERE users.email" in line and " ms: " in line for line in logged)
    assert "secret@example.org" not in caplog.text


def test_a_slow_query_that_fails_is_logged_too(
    tenants_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = ConnectionOptions(slow_query_ms=0)
    with (
        caplog.at_level(logging.WARNING, "qadb.sql"),
        open_database(tenants_url, options=options) as database,
        pytest.raises(ConflictError),
        database.session(tenant="acme") as session,
    ):
        session.execute(insert(Product).values(name="p", status="secret state"))
    logged = [record.getMessage() for record in caplog.records if record.name == "qadb.sql"]
    assert [line for line in logged if "INSERT INTO products" in line]
    assert "secret state" not in caplog.text


def test_quick_queries_are_not_logged(tenants_url: str, caplog: pytest.LogCaptureFixture) -> None:
    options = ConnectionOptions(slow_query_ms=60_000)
    with open_database(tenants_url, options=options) as database:
        assert names(database) == ["acme shop"]
    assert not [record for record in caplog.records if record.name == "qadb.sql"]


def test_an_in_memory_database_has_units_too(tmp_path: Path) -> None:
    with open_database("sqlite://") as database:
        with database.connect() as connection:
            Product.metadata.create_all(connection)
            connection.execute(text("INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')"))
        database.run(lambda session: session.add(Product(name="new")), tenant="acme")
        assert names(database) == ["new"]
    assert not list(tmp_path.iterdir())
