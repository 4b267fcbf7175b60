"""Every rule holds twice: as a CHECK against raw SQL, and as a ValueError on the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from qadb.models import (
    AuditLog,
    Base,
    Bug,
    Country,
    Environment,
    HardwareConfig,
    Hold,
    IngestFile,
    Order,
    Product,
    SyncEvent,
    Tenant,
    TestCase,
    TestResult,
    TestRun,
    User,
    metadata,
)
from tests.models.rows import MORNING, NOON, make_result, make_run

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

EARLY, LATE = "2026-11-22T07:15:00.000000Z", "2026-11-22T12:00:00.000000Z"

# model, rule: SQL that breaks the rule in a valid row, and the same as attributes.
BROKEN: dict[tuple[type[Base], str], tuple[str, dict[str, object]]] = {
    (Tenant, "id_shape"): ("id = 'Big Corp'", {"id": "Big Corp"}),
    (User, "username_length"): ("username = 'ab'", {"username": "ab"}),
    (User, "email_shape"): ("email = 'ada at home'", {"email": "ada at home"}),
    (User, "first_name_length"): ("first_name = ''", {"first_name": ""}),
    (User, "last_name_length"): ("last_name = ''", {"last_name": ""}),
    (User, "full_name_length"): ("full_name = ''", {"full_name": ""}),
    (User, "password_hash_length"): ("password_hash = 'plain'", {"password_hash": "plain"}),
    (User, "failed_login_attempts_range"): (
        "failed_login_attempts = -1",
        {"failed_login_attempts": -1},
    ),
    (User, "session_timeout_minutes_range"): (
        "session_timeout_minutes = 0",
        {"session_timeout_minutes": 0},
    ),
    (AuditLog, "action_type_known"): ("action_type = 'SELECT'", {"action_type": "SELECT"}),
    (Country, "code_shape"): ("code = 'x1'", {"code": "x1"}),
    (HardwareConfig, "memory_mb_range"): ("memory_mb = 0", {"memory_mb": 0}),
    (HardwareConfig, "storage_gb_range"): ("storage_gb = 0", {"storage_gb": 0}),
    (Environment, "kind_known"): ("kind = 'moon'", {"kind": "moon"}),
    (Environment, "status_known"): ("status = 'asleep'", {"status": "asleep"}),
    (Product, "price_range"): ("price = -1", {"price": -1}),
    (Product, "inventory_quantity_range"): ("inventory_quantity = -1", {"inventory_quantity": -1}),
    (Product, "status_known"): ("status = 'sold'", {"status": "sold"}),
    (Order, "status_known"): ("status = 'lost'", {"status": "lost"}),
    (Order, "subtotal_range"): ("subtotal = -1", {"subtotal": -1}),
    (Order, "total_price_range"): ("total_price = -1", {"total_price": -1}),
    (TestCase, "timeout_seconds_range"): ("timeout_seconds = 0", {"timeout_seconds": 0}),
    (TestCase, "last_seen_at_order"): (
        f"first_seen_at = '{LATE}', last_seen_at = '{EARLY}'",
        {"first_seen_at": NOON, "last_seen_at": MORNING},
    ),
    (TestRun, "ended_at_order"): (
        f"started_at = '{LATE}', ended_at = '{EARLY}'",
        {"started_at": NOON, "ended_at": MORNING},
    ),
    (TestRun, "duration_seconds_range"): ("duration_seconds = -1", {"duration_seconds": -1}),
    (TestRun, "status_known"): ("status = 'gone'", {"status": "gone"}),
    (TestRun, "result_known"): ("result = 'fine'", {"result": "fine"}),
    (TestRun, "total_range"): ("total = -1", {"total": -1}),
    (TestRun, "passed_range"): ("total = 0, passed = -1", {"passed": -1}),
    (TestRun, "failed_range"): ("failed = -1, passed = 2, total = 1", {"failed": -1}),
    (TestRun, "errors_range"): ("total = 0, errors = -1", {"errors": -1}),
    (TestRun, "skipped_range"): ("total = 0, skipped = -1", {"skipped": -1}),
    (TestRun, "total_sum"): (
        "total = 7",
        {"total": 7, "passed": 1, "failed": 1, "errors": 0, "skipped": 0},
    ),
    (TestResult, "occurrence_range"): ("occurrence = 0", {"occurrence": 0}),
    (TestResult, "attempt_range"): ("attempt = 0", {"attempt": 0}),
    (TestResult, "status_known"): ("status = 'flaky'", {"status": "flaky"}),
    (TestResult, "duration_ms_range"): ("duration_ms = -1", {"duration_ms": -1}),
    (TestResult, "signature_passed"): (
        "status = 'passed'",
        {"status": "passed", "signature": "abc"},
    ),
    (Bug, "severity_known"): ("severity = 'huge'", {"severity": "huge"}),
    (Bug, "status_known"): ("status = 'gone'", {"status": "gone"}),
    (Bug, "resolved_at_order"): (
        f"reported_at = '{LATE}', resolved_at = '{EARLY}'",
        {"reported_at": NOON, "resolved_at": MORNING},
    ),
    (SyncEvent, "completed_at_order"): (
        f"started_at = '{LATE}', completed_at = '{EARLY}'",
        {"started_at": NOON, "completed_at": MORNING},
    ),
    (SyncEvent, "status_known"): ("status = 'lost'", {"status": "lost"}),
    (SyncEvent, "rows_created_range"): ("rows_created = -1", {"rows_created": -1}),
    (SyncEvent, "rows_updated_range"): ("rows_updated = -1", {"rows_updated": -1}),
    (SyncEvent, "rows_deleted_range"): ("rows_deleted = -1", {"rows_deleted": -1}),
    (IngestFile, "sha256_shape"): ("sha256 = 'XYZ'", {"sha256": "XYZ"}),
    (IngestFile, "bytes_range"): ("bytes = -1", {"bytes": -1}),
    (IngestFile, "rows_range"): ("rows = -1", {"rows": -1}),
    (Hold, "scope_known"): ("scope = 'world'", {"scope": "world"}),
    (Hold, "released_at_order"): (
        f"placed_at = '{LATE}', released_at = '{EARLY}'",
        {"placed_at": NOON, "released_at": MORNING},
    ),
}
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
    with pytest.raises(IntegrityError) as refusal:
        filled.exec_driver_sql(f"UPDATE {table} SET {BROKEN[model, rule][0]}{where}")
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
