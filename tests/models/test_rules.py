"""Every rule holds twice: as a CHECK against raw SQL, and as a ValueError on the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from qadb.models import AuditLog, Base, Country, Product, TestRun, User, metadata
from tests.models.broken_rules import BROKEN
from tests.models.rows import MORNING, NOON, make_result, make_run

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

CASES = [pytest.param(*key, id=f"{key[0].__tablename__}-{key[1]}") for key in BROKEN]


def test_every_rule_of_every_model_is_proved_here() -> None:
    declared = {
        (mapper.class_, rule.name)
        for mapper in Base.registry.mappers
        for rule in mapper.class_.__rules__
    }
    assert declared == set(BROKEN)


@pytest.mark.parametrize(("model", "rule"), CASES)
def test_the_database_refuses_raw_sql_that_breaks_a_rule(
    filled: Connection, model: type[Base], rule: str
) -> None:
    table = model.__tablename__
    where = " WHERE code = 'CH'" if model is Country else ""
    statement = f"UPDATE {table} SET {BROKEN[model, rule][0]}{where}"
    if model is AuditLog:  # nothing in it can be updated
        values = "'default', 'users', '1', 'SELECT'"
        statement = (
            f"INSERT INTO {table} (tenant_id, table_name, record_id, action_type) VALUES ({values})"
        )
    with pytest.raises(IntegrityError) as refusal:
        filled.exec_driver_sql(statement)
    assert f"ck_{table}_{rule}" in str(refusal.value)


@pytest.mark.parametrize(("model", "rule"), CASES)
def test_the_model_refuses_values_that_break_a_rule(model: type[Base], rule: str) -> None:
    with pytest.raises(ValueError, match=rf"{model.__tablename__}\.\w+: "):
        model(**BROKEN[model, rule][1])


def test_rules_over_several_columns_hold_at_flush_too(session: Session) -> None:
    run = make_run(started_at=MORNING, ended_at=NOON, total=1, passed=1)
    session.add(run)
    session.flush()
    run.started_at, run.ended_at = NOON, MORNING
    with pytest.raises(ValueError, match=r"test_runs\.ended_at: .* lies before started_at"):
        session.flush()


def test_totals_that_nobody_set_count_as_zero(session: Session) -> None:
    session.add(make_run(total=3, passed=3))
    session.flush()
    session.add(TestRun(run_key="r2", application_id=1, total=3))
    with pytest.raises(ValueError, match=r"test_runs\.total: 3 is not passed"):
        session.flush()


def test_values_may_be_set_one_after_another(session: Session) -> None:
    run = make_run()
    run.total = 2
    run.passed = 2
    session.add(run)
    session.flush()
    assert (run.total, run.passed, run.failed) == (2, 2, 0)


def test_sql_expressions_are_left_to_the_database(session: Session) -> None:
    user = User(username="ada")
    session.add(user)
    session.flush()
    user.failed_login_attempts = User.failed_login_attempts + 1
    session.flush()
    assert user.failed_login_attempts == 1


def test_a_signature_belongs_to_what_did_not_pass(session: Session) -> None:
    result = make_result(signature="abc")
    session.add(result)
    session.flush()
    result.status = "passed"
    with pytest.raises(ValueError, match=r"test_results\.signature: must be empty"):
        session.flush()


def test_unknown_attributes_are_refused() -> None:
    with pytest.raises(TypeError, match="User has no attribute 'nickname'"):
        User(nickname="ada")


@pytest.mark.parametrize(
    "address", ["ada@example.org", "a@b.c", "a.b+c@sub.example.co", None, "é@x.y"]
)
def test_ordinary_addresses_are_accepted(session: Session, address: str | None) -> None:
    session.add(User(username="ada", email=address))
    session.flush()


@pytest.mark.parametrize("address", ["@example.org", "a@b", "a b@c.d", "ab.c", "a@.", ""])
def test_the_model_and_the_check_refuse_the_same_addresses(
    filled: Connection, address: str
) -> None:
    with pytest.raises(ValueError, match="email"):
        User(email=address)
    with pytest.raises(IntegrityError, match="ck_users_email_shape"):
        filled.exec_driver_sql(f"UPDATE users SET email = '{address}'")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "3"])
def test_numbers_are_finite_numbers(value: object) -> None:
    with pytest.raises(ValueError, match=r"products\.price: must be"):
        Product(price=value)


def test_every_constraint_is_named_within_postgresqls_limit() -> None:
    names = [
        str(item.name)
        for table in metadata.tables.values()
        for item in (table, *table.columns, *table.constraints, *table.indexes)
    ]
    assert "None" not in names
    assert max(len(name) for name in names) <= 63
