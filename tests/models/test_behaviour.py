from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from qadb.models import (
    Application,
    AuditLog,
    Feature,
    IngestFile,
    Order,
    Product,
    Role,
    Tenant,
    TestCase,
    TestCaseFeature,
    TestResult,
    TestRun,
    User,
)
from tests.models.rows import MORNING, NOON, make_case, make_result, make_run

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from qadb.models import Base


def _count(session: Session, model: type[Base]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_new_user_is_a_viewer_of_the_default_tenant(session: Session) -> None:
    user = User(username="ada")
    session.add(user)
    session.flush()
    assert (user.role.name, user.tenant.id, user.session_timeout_minutes) == (
        "viewer",
        "default",
        480,
    )
    assert (user.is_active, user.is_verified, user.is_locked) == (True, False, False)


def test_roles_list_their_permissions_and_users(session: Session) -> None:
    viewer = session.scalars(select(Role).where(Role.name == "viewer")).one()
    session.add(User(username="ada"))
    session.flush()
    assert "runs.read" in [permission.code for permission in viewer.permissions]
    assert [user.username for user in viewer.users] == ["ada"]


def test_live_names_are_unique_per_tenant(session: Session) -> None:
    session.add(Tenant(id="acme", name="Acme"))
    session.flush()
    session.add_all([User(username="ada"), User(username="ada", tenant_id="acme")])
    session.flush()
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        session.execute(text("INSERT INTO users (username, role_id) VALUES ('ada', 1)"))


def test_a_deleted_name_can_be_given_again(session: Session) -> None:
    session.add(User(username="ada", deleted_at=MORNING))
    session.flush()
    session.add_all([User(username="ada"), User(username="ada", deleted_at=NOON)])
    session.flush()
    assert _count(session, User) == 3


def test_deleting_a_run_takes_its_results_and_files(session: Session) -> None:
    result = make_result()
    result.run.ingest_files.append(
        IngestFile(sha256="0" * 64, file_name="junit.xml", bytes=1, format="junit")
    )
    session.add(result)
    session.commit()
    session.execute(text("DELETE FROM test_runs"))
    assert (_count(session, TestResult), _count(session, IngestFile)) == (0, 0)
    assert _count(session, TestCase) == 1


def test_the_orm_deletes_a_run_with_its_results(session: Session) -> None:
    result = make_result()
    session.add(result)
    session.commit()
    session.delete(result.run)
    session.commit()
    assert _count(session, TestResult) == 0


def test_a_test_with_history_cannot_be_deleted(session: Session) -> None:
    result = make_result()
    session.add(result)
    session.commit()
    session.delete(result.test_case)
    with pytest.raises(IntegrityError):
        session.flush()


def test_an_application_with_runs_cannot_be_deleted(session: Session) -> None:
    run = make_run()
    session.add(run)
    session.commit()
    session.delete(run.application)
    with pytest.raises(IntegrityError):
        session.flush()


def test_deleting_a_user_leaves_what_the_user_made(session: Session) -> None:
    user = User(username="ada")
    order = Order(order_number="o-1", user=user, total_price=Decimal("9.99"))
    application = Application(code="shop", name="Shop", creator=user)
    session.add_all([order, application])
    session.commit()
    assert [made.code for made in user.created_applications] == ["shop"]  # type: ignore[attr-defined]  # a backref
    session.delete(user)
    session.commit()
    assert (order.user_id, application.created_by) == (None, None)
    assert order.total_price == Decimal("9.99")


def test_a_link_takes_the_tenant_of_its_test(session: Session) -> None:
    session.add(Tenant(id="acme", name="Acme"))
    session.flush()
    product = Product(name="Shop", tenant_id="acme")
    pay = Feature(title="Pay", tenant_id="acme", product=product)
    ship = Feature(title="Ship", tenant_id="acme", product=product)
    case = make_case(tenant_id="acme", features=[pay])
    ship.test_cases.append(case)
    session.add(case)
    session.commit()
    assert session.scalars(select(TestCaseFeature.tenant_id)).all() == ["acme", "acme"]
    assert {feature.title for feature in case.features} == {"Pay", "Ship"}
    assert [found.case_key for found in pay.test_cases] == [case.case_key]
    case.features.remove(pay)
    session.commit()
    assert [feature.title for feature in case.features] == ["Ship"]


def test_a_link_of_a_new_test_takes_the_default_tenant(session: Session) -> None:
    session.add(make_case(features=[Feature(title="Pay", product=Product(name="Shop"))]))
    session.commit()
    assert session.scalars(select(TestCaseFeature.tenant_id)).all() == ["default"]


def test_a_run_derives_its_duration(session: Session) -> None:
    run = make_run(started_at=MORNING, ended_at=MORNING + timedelta(days=1, milliseconds=1500))
    session.add(run)
    session.commit()
    assert run.duration_seconds == Decimal("86401.500")


def test_a_stated_duration_is_kept(session: Session) -> None:
    run = make_run(started_at=MORNING, ended_at=NOON, duration_seconds=Decimal(7))
    session.add(run)
    session.commit()
    assert run.duration_seconds == Decimal(7)


def test_a_run_starts_now_unless_told_otherwise(session: Session) -> None:
    run = make_run()
    session.add(run)
    session.flush()
    assert run.started_at == run.created_at
    assert (run.status, run.total, run.is_protected) == ("pending", 0, False)


def test_a_run_key_is_unique_per_tenant_and_application(session: Session) -> None:
    run = make_run()
    session.add_all([run, TestRun(run_key="r1", application=Application(code="b", name="B"))])
    session.flush()
    session.add(TestRun(run_key="r1", application=run.application))
    with pytest.raises(IntegrityError):
        session.flush()


def test_the_audit_log_outlives_the_user(session: Session) -> None:
    user = User(username="ada")
    session.add(user)
    session.flush()
    entry = AuditLog(user_id=user.id, table_name="users", record_id="1", action_type="INSERT")
    session.add(entry)
    session.commit()
    assert entry.user is user
    assert user.audit_logs == [entry]
    session.delete(user)
    session.commit()
    assert entry.user_id is not None
    assert entry.user is None


def test_ids_of_deleted_runs_are_not_given_again(session: Session) -> None:
    first = make_run()
    session.add(first)
    session.commit()
    gone = first.id
    session.delete(first)
    session.commit()
    session.add(TestRun(run_key="r2", application=Application(code="c", name="C")))
    session.commit()
    assert session.scalars(select(TestRun.id)).one() > gone
