"""Objects that belong to another tenant stay out of a tenant's session, whichever way they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import IntegrityError, InvalidRequestError, SAWarning
from sqlalchemy.orm import make_transient_to_detached, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from qadb.errors import TenantViolation, TransactionConflict
from qadb.models import Bug, Feature, Product, Role, TestCase, TestResult, TestRun, User

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork


T = TypeVar("T")


def foreign_bug(database: Database) -> Bug:
    """A bug of the other tenant, loaded in its own session."""
    with database.session(tenant="rival") as session:
        return session.scalars(select(Bug)).one()


def test_get_finds_no_foreign_row(database: Database, acme: UnitOfWork) -> None:
    bug_id = _id_of_rivals_bug(acme)
    assert acme.get(Bug, bug_id) is None
    with pytest.raises(InvalidRequestError):
        acme.get_one(Bug, bug_id)


def test_an_object_of_another_tenant_can_not_be_added(acme: UnitOfWork) -> None:
    bug = _detached(Bug(id=_id_of_rivals_bug(acme), title="t", tenant_id="rival"))
    with pytest.raises(TenantViolation):
        acme.add(bug)
    assert bug not in acme


def test_an_object_that_claims_to_be_the_tenants_can_not_be_added(acme: UnitOfWork) -> None:
    bug = _detached(Bug(id=_id_of_rivals_bug(acme), title="t", tenant_id="acme"))
    with pytest.raises(TenantViolation):
        acme.add(bug)
    with pytest.raises(TenantViolation):
        acme.delete(bug)
    with pytest.raises(TenantViolation):
        acme.merge(bug, load=False)
    assert acme.get(Bug, bug.id) is None


def test_merging_makes_no_change_to_another_tenants_row(acme: UnitOfWork) -> None:
    bug_id = _id_of_rivals_bug(acme)
    acme.merge(Bug(id=bug_id, title="taken over", test_case_id=1))
    with pytest.raises(IntegrityError):
        acme.flush()


def test_merging_refuses_another_tenants_id(acme: UnitOfWork) -> None:
    acme.merge(Bug(id=4711, title="new", test_case_id=1, tenant_id="rival"))
    with pytest.raises(TenantViolation):
        acme.flush()


def test_an_own_detached_object_may_come_back(database: Database) -> None:
    with database.session(tenant="acme") as session:
        bug = session.scalars(select(Bug)).one()
    bug.title = "changed"
    with database.session(tenant="acme") as session:
        session.add(bug)
    with database.session(tenant="acme") as session:
        assert session.scalars(select(Bug.title)).one() == "changed"


def test_a_cascade_brings_in_no_foreign_object(database: Database, acme: UnitOfWork) -> None:
    case = acme.scalars(select(TestCase)).one()
    feature = _detached(Feature(id=_rivals_feature(acme), title="f", tenant_id="acme"))
    with pytest.raises(TenantViolation):
        case.features.append(feature)


def test_relationships_lead_to_own_rows_only(acme: UnitOfWork) -> None:
    run = acme.scalars(select(TestRun)).one()
    role = acme.scalars(select(Role)).one()
    assert [user.username for user in role.users] == ["acme-user"]
    assert [result.message for result in run.results] == ["acme secret"]
    assert run.application.name == "acme shop"
    assert run.tenant.name == "Acme"
    case = run.results[0].test_case
    assert [feature.title for feature in case.features] == ["acme feature"]
    assert [case.name for case in case.features[0].test_cases] == ["acme test"]


def test_a_bare_foreign_key_leads_nowhere(acme: UnitOfWork) -> None:
    bug = acme.scalars(select(Bug)).one()
    with acme.unguarded():
        bug.run_id = _other(acme, TestRun.__tablename__)
        acme.flush()
    acme.expire(bug)
    assert bug.run is None
    assert acme.scalars(select(Bug).join(Bug.run)).all() == []
    eager = select(Bug).options(selectinload(Bug.run)).execution_options(populate_existing=True)
    assert acme.scalars(eager).one().run is None


def test_a_row_that_went_to_another_tenant_is_not_read_again(
    database: Database, acme: UnitOfWork
) -> None:
    if acme.backend.name == "sqlite":  # one writer at a time
        acme.rollback()
    bug = acme.scalars(select(Bug)).one()
    acme.commit()
    with database.session(all_tenants=True) as session:
        move = update(Bug).where(Bug.id == bug.id).values(tenant_id="rival", title="moved")
        session.execute(move)
    with pytest.raises(InvalidRequestError):
        acme.refresh(bug)
    acme.rollback()
    acme.expire(bug)
    with pytest.raises(InvalidRequestError):
        _ = bug.title


def test_a_row_that_went_to_another_tenant_is_not_changed(acme: UnitOfWork) -> None:
    bug = acme.scalars(select(Bug)).one()
    with acme.unguarded():
        acme.own_connection().exec_driver_sql("UPDATE bugs SET tenant_id = 'rival'")
    bug.title = "changed"
    with pytest.raises(TransactionConflict, match="is gone"):
        acme.flush()


def test_a_key_that_was_tampered_with_leads_to_no_foreign_row(
    database: Database, acme: UnitOfWork
) -> None:
    bug = acme.scalars(select(Bug)).one()
    set_committed_value(bug, "id", _id_of_rivals_bug(acme))
    bug.title = "taken over"
    with pytest.raises(TransactionConflict):
        acme.flush()
    acme.rollback()
    bug = acme.scalars(select(Bug)).one()
    set_committed_value(bug, "id", _id_of_rivals_bug(acme))
    acme.delete(bug)
    with pytest.warns(SAWarning, match="0 were matched"):
        acme.commit()
    assert foreign_bug(database).title == "rival bug"


def test_a_statement_that_a_listener_sends_in_a_flush_is_confined(
    database: Database, acme: UnitOfWork
) -> None:
    bugs: Table = Bug.metadata.tables["bugs"]

    def send(_mapper: object, connection: Connection, _row: object) -> None:
        connection.execute(update(bugs).values(title="changed"))

    event.listen(Product, "before_insert", send)
    try:
        acme.add(Product(name="new"))
        acme.commit()
    finally:
        event.remove(Product, "before_insert", send)
    assert acme.scalars(select(Bug.title)).all() == ["changed"]
    acme.commit()
    assert foreign_bug(database).title == "rival bug"


def test_refreshing_and_deferred_columns_work(acme: UnitOfWork) -> None:
    user = acme.scalars(select(User)).one()
    acme.refresh(user)
    acme.expire(user, ["email"])
    assert user.email == "acme@example.org"
    acme.refresh(user, with_for_update=True)


def test_deleting_an_object_takes_own_rows_only(database: Database) -> None:
    with database.session(tenant="acme") as session:
        session.delete(session.scalars(select(TestRun)).one())
        product = session.scalars(select(Product)).one()
        product.features.clear()
    with database.session(all_tenants=True) as session:
        assert session.scalars(select(TestResult.tenant_id)).all() == ["rival"]
        assert session.scalars(select(Feature.tenant_id)).all() == ["rival"]


def test_streamed_rows_are_the_tenants_own(acme: UnitOfWork) -> None:
    query = select(User).execution_options(yield_per=1)
    assert [user.username for user in acme.scalars(query)] == ["acme-user"]
    assert [part[0].username for part in acme.scalars(query).partitions()] == ["acme-user"]


def test_two_tenants_share_compiled_statements_but_no_rows(database: Database) -> None:
    for tenant in ("acme", "rival", "acme", "default"):
        with database.session(tenant=tenant) as session:
            names = session.scalars(select(User.username)).all()
            assert names == ([] if tenant == "default" else [f"{tenant}-user"])


def _detached(row: T) -> T:
    make_transient_to_detached(row)
    return row


def _id_of_rivals_bug(session: UnitOfWork) -> int:
    return _other(session, Bug.__tablename__)


def _rivals_feature(session: UnitOfWork) -> int:
    return _other(session, Feature.__tablename__)


def _other(session: UnitOfWork, table: str) -> int:
    with session.unguarded():
        found = session.own_connection().exec_driver_sql(
            f"SELECT id FROM {table} WHERE tenant_id = 'rival'"
        )
        return int(found.scalar_one())
