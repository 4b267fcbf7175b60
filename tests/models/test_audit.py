"""Every change of an audited table is in the log once, whoever made it, and no secret is."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, text

from qadb.models import SLA, Application, AuditLog, Base, Bug, Product, Tenant, User
from tests.models.audit_entries import (
    Entry,
    act_as,
    act_as_nobody,
    actions,
    entries,
    newest,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session

AUDITED = sorted(
    mapper.class_.__tablename__ for mapper in Base.registry.mappers if mapper.class_.__audited__
)
PASSWORD_HASH, KEY_HASH = "$2b$" + "p" * 60, "k" * 64


def test_the_audited_tables_are_those_that_people_keep() -> None:
    assert AUDITED == ["applications", "bugs", "environments", "products", "slas", "users"]


@pytest.mark.parametrize("table", AUDITED)
def test_raw_sql_is_recorded_in_every_audited_table(filled: Connection, table: str) -> None:
    before = newest(filled)
    filled.execute(text(f"UPDATE {table} SET tenant_id = tenant_id"))
    (entry,) = entries(filled, table, after=before)
    columns = {column.name for column in Base.metadata.tables[table].columns}
    assert entry.action == "UPDATE"
    assert entry.old == entry.new
    assert {*entry.new} == columns - {"updated_at", "password_hash", "api_key_hash"}


def test_insert_update_and_delete_are_recorded_with_their_values(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO products (name) VALUES ('Shop')"))
        connection.execute(text("UPDATE products SET name = 'Store', inventory_quantity = 3"))
        connection.execute(text("DELETE FROM products"))
        first, second, third = entries(connection, "products")
    assert (first.action, first.old) == ("INSERT", {})
    assert (third.action, third.new) == ("DELETE", {})
    assert first.new == second.old
    assert third.old == second.new
    changed = {key for key, value in second.new.items() if value != first.new[key]}
    assert changed == {"name", "inventory_quantity"}
    assert {entry.record_id for entry in (first, second, third)} == {str(first.new["id"])}


def test_changes_through_the_orm_are_recorded_once_each(session: Session) -> None:
    product = Product(name="Shop")
    session.add(product)
    session.commit()
    key = str(product.id)
    product.name = "Store"
    session.commit()
    session.delete(product)
    session.commit()
    assert actions(session.connection(), "products") == [
        ("INSERT", key),
        ("UPDATE", key),
        ("DELETE", key),
    ]


def test_every_row_of_a_bulk_change_is_recorded(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(Product), [{"name": f"p{number}"} for number in range(20)])
        connection.execute(text("UPDATE products SET category = 'x' WHERE id % 2 = 0"))
        assert [action for action, _ in actions(connection, "products")] == (
            ["INSERT"] * 20 + ["UPDATE"] * 10
        )


def test_moving_updated_at_alone_is_no_change(filled: Connection) -> None:
    before = newest(filled)
    filled.execute(text("UPDATE products SET updated_at = '2001-01-01T00:00:00.000000Z'"))
    assert newest(filled) == before


def test_a_change_that_is_rolled_back_is_not_recorded(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO products (name) VALUES ('Shop')"))
        connection.rollback()
        assert entries(connection, "products") == []


def test_hashes_never_enter_the_log(engine: Engine) -> None:
    with engine.begin() as connection:
        user = {"username": "ada", "password_hash": PASSWORD_HASH, "api_key_hash": KEY_HASH}
        connection.execute(insert(User), user)
        connection.execute(text(f"UPDATE users SET password_hash = '{PASSWORD_HASH[::-1]}'"))
        connection.execute(text("UPDATE users SET api_key_hash = NULL"))
        connection.execute(text("DELETE FROM users"))
        written = connection.execute(text("SELECT old_values, new_values FROM audit_logs")).all()
    assert len(written) == 4
    assert not [word for word in ("hash", "pppp", "kkkk") if word in json.dumps(str(written))]


def test_values_read_alike_on_both_engines(engine: Engine) -> None:
    product = {
        "name": "Café",
        "price": Decimal("-0.05") + Decimal("10.00"),
        "tags": ["a", 'b "quoted"'],
        "extra_data": {"deep": [1, {"x": None}]},
    }
    with engine.begin() as connection:
        connection.execute(insert(Product), product)
        connection.execute(insert(Application), {"code": "shop", "name": "Shop"})
        key = connection.scalar(select(Application.id))
        sla = {"application_id": key, "metric": "slack", "threshold": Decimal("-1.000005")}
        connection.execute(insert(SLA), sla)
        ((_, _, _, new),) = entries(connection, "products")
        ((_, _, _, application),) = entries(connection, "applications")
        ((_, _, _, promise),) = entries(connection, "slas")
    assert {name: new[name] for name in ("name", "tags", "extra_data", "category")} == {
        "name": "Café",
        "tags": ["a", 'b "quoted"'],
        "extra_data": {"deep": [1, {"x": None}]},
        "category": None,
    }
    assert (new["price"], promise["threshold"]) == (9.95, -1.000005)
    assert (application["is_active"], promise["is_active"]) == (True, True)
    offset = datetime.fromisoformat(str(new["created_at"])).utcoffset()
    assert offset is not None
    assert not offset


def test_the_entry_belongs_to_the_tenant_that_had_the_row(session: Session) -> None:
    session.add_all([Tenant(id="acme", name="Acme"), Tenant(id="zeta", name="Zeta")])
    session.flush()
    product = Product(name="Shop", tenant_id="acme")
    session.add(product)
    session.flush()
    product.tenant_id = "zeta"
    session.flush()
    session.delete(product)
    session.flush()
    query = select(AuditLog.tenant_id).where(AuditLog.table_name == "products")
    assert session.scalars(query.order_by(AuditLog.id)).all() == ["acme", "acme", "zeta"]


def test_the_entry_names_the_actor_that_the_transaction_states(engine: Engine) -> None:
    facts = {"user_id": "7", "ip_address": "2001:db8::1", "user_agent": "Bot/1", "session_id": "s"}
    query = select(
        AuditLog.user_id, AuditLog.ip_address, AuditLog.user_agent, AuditLog.session_id
    ).order_by(AuditLog.id)
    with engine.connect() as connection:
        with connection.begin():
            act_as(connection, **facts)
            connection.execute(text("INSERT INTO products (name) VALUES ('Shop')"))
            act_as_nobody(connection)
        with connection.begin():  # on the same connection: nothing is left of it
            connection.execute(text("INSERT INTO products (name) VALUES ('Store')"))
            found = [tuple(row) for row in connection.execute(query)]
    assert found == [(7, "2001:db8::1", "Bot/1", "s"), (None, None, None, None)]


def test_what_foreign_keys_change_is_recorded_too(session: Session) -> None:
    user = User(username="ada")
    application = Application(code="shop", name="Shop")
    application.slas.append(SLA(metric="p95", threshold=Decimal(1)))
    session.add_all([application, Bug(title="Crash", creator=user)])
    session.commit()
    author = user.id
    before = newest(session.connection())
    session.execute(text("DELETE FROM users"))
    session.execute(text("DELETE FROM applications"))
    connection = session.connection()
    (bug,) = entries(connection, "bugs", after=before)
    assert (bug.action, bug.old["created_by"], bug.new["created_by"]) == (
        "UPDATE",
        author,
        None,
    )
    assert [entry.action for entry in entries(connection, "slas", after=before)] == ["DELETE"]


def test_soft_deletion_is_recorded_as_what_it_is(session: Session) -> None:
    user = User(username="ada")
    session.add(user)
    session.commit()
    session.execute(text("UPDATE users SET deleted_at = created_at"))
    last: Entry = entries(session.connection(), "users")[-1]
    assert last.action == "UPDATE"
    assert last.old["deleted_at"] is None
    assert last.new["deleted_at"] is not None
