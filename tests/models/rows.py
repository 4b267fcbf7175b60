"""Valid rows to start from."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from qadb.models import (
    Application,
    AuditLog,
    Bug,
    Environment,
    Feature,
    HardwareConfig,
    Hold,
    IngestFile,
    Order,
    Product,
    SyncEvent,
    TestCase,
    TestResult,
    TestRun,
    User,
    UserStory,
)

if TYPE_CHECKING:
    from qadb.models import Base

MORNING = datetime(2026, 11, 22, 7, 15, 0, 123456, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_run(**values: object) -> TestRun:
    """A run of an application of its own."""
    return TestRun(
        **{"run_key": "r1", "application": Application(code="shop", name="Shop"), **values}
    )


def make_case(**values: object) -> TestCase:
    """A test case."""
    return TestCase(**{"case_key": "suite::test", "name": "test", **values})


def make_result(**values: object) -> TestResult:
    """A result in a run of its own."""
    return TestResult(**{"run": make_run(), "test_case": make_case(), "status": "failed", **values})


def one_row_of_each() -> list[Base]:
    """One valid row for each table without reference data, with every ruled column filled."""
    user = User(username="ada", email="ada@example.org", full_name="Ada L", password_hash="x" * 60)
    user.first_name, user.last_name = "Ada", "L"
    product = Product(name="Shop", sku="s-1", price=Decimal("9.99"), tags=["a"])
    feature = Feature(title="Checkout", product=product)
    case = make_case(
        features=[feature],
        timeout_seconds=Decimal("1.5"),
        first_seen_at=MORNING,
        last_seen_at=NOON,
    )
    run = make_run(
        started_at=MORNING, ended_at=NOON, total=1, failed=1, result="failure", triggering_user=user
    )
    hardware = HardwareConfig(name="box", memory_mb=1024, storage_gb=100)
    return [
        TestResult(
            run=run, test_case=case, status="failed", duration_ms=Decimal("1.25"), signature="abc"
        ),
        Environment(name="ci-1", hardware_config=hardware),
        UserStory(title="Pay", product=product, feature=feature),
        Order(order_number="o-1", user=user, items=[{"sku": "s-1"}]),
        Bug(title="Crash", run=run, test_case=case, reported_at=MORNING, resolved_at=NOON),
        IngestFile(run=run, sha256="0" * 64, file_name="junit.xml", bytes=9, format="junit"),
        SyncEvent(source="api", entity="feature", started_at=MORNING, completed_at=NOON),
        Hold(scope="run", scope_id="1", reason="court", placed_at=MORNING, released_at=NOON),
        AuditLog(table_name="users", record_id="1", action_type="INSERT"),
    ]
