"""Valid rows to start from."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from qadb.models import (
    SLA,
    AgentExecution,
    Application,
    AuditLog,
    Bug,
    CodeAnalysis,
    Conversation,
    CoverageData,
    Environment,
    Event,
    FailureAnalysis,
    Feature,
    HardwareConfig,
    Hold,
    IngestFile,
    LLMRoundTableResult,
    MessageHistory,
    Note,
    Order,
    PerformanceBaseline,
    PerformanceResult,
    Product,
    RAGDocument,
    SecurityIssue,
    SyncEvent,
    TestCase,
    TestResult,
    TestRun,
    ToolExecution,
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
    result = TestResult(
        run=run, test_case=case, status="failed", duration_ms=Decimal("1.25"), signature="abc"
    )
    return [
        result,
        Environment(name="ci-1", hardware_config=hardware),
        UserStory(title="Pay", product=product, feature=feature),
        Order(order_number="o-1", user=user, items=[{"sku": "s-1"}]),
        Bug(title="Crash", run=run, test_case=case, reported_at=MORNING, resolved_at=NOON),
        IngestFile(run=run, sha256="0" * 64, file_name="junit.xml", bytes=9, format="junit"),
        SyncEvent(source="api", entity="feature", started_at=MORNING, completed_at=NOON),
        Hold(scope="run", scope_id="1", reason="court", placed_at=MORNING, released_at=NOON),
        AuditLog(table_name="users", record_id="1", action_type="INSERT"),
        *_quality_rows(run, result),
        *_performance_rows(run),
        *_agent_rows(user),
        *_assistant_rows(user),
    ]


def _quality_rows(run: TestRun, result: TestResult) -> list[Base]:
    return [
        CoverageData(run=run, file="a.py", covered_lines=1, total_lines=2, declared_rate=0.5),
        SecurityIssue(
            code_analysis=CodeAnalysis(commit_sha="c0ffee", risk_level="low", tool="bandit"),
            fingerprint="f-1",
            line=1,
            first_seen_at=MORNING,
            last_seen_at=NOON,
            fixed_at=NOON,
        ),
        FailureAnalysis(test_result=result, signature="abc", confidence=0.5),
    ]


def _performance_rows(run: TestRun) -> list[Base]:
    milliseconds = Decimal("1.5")
    return [
        PerformanceResult(
            run=run,
            request_name="GET /",
            total_requests=2,
            ok_requests=2,
            mean_response_time_ms=milliseconds,
            p50_response_time_ms=milliseconds,
            p95_response_time_ms=milliseconds,
            p99_response_time_ms=milliseconds,
            max_response_time_ms=milliseconds,
            rps_achieved=Decimal(9),
        ),
        PerformanceBaseline(
            application=run.application,
            metric="p95_response_time_ms",
            value=Decimal("1.5"),
            valid_from=MORNING,
            valid_to=NOON,
        ),
        SLA(application=run.application, metric="p95_response_time_ms", threshold=Decimal(200)),
    ]


def _agent_rows(user: User) -> list[Base]:
    agent = AgentExecution(
        execution_id="e-1", agent_name="planner", tokens_used=9, duration_ms=Decimal(1)
    )
    return [
        ToolExecution(agent=agent, user=user, tool_name="grep", duration_ms=Decimal(1)),
        LLMRoundTableResult(result_id="r-1", task_category="review", winner_provider="a"),
        RAGDocument(
            document_id="d-1",
            chunk_index=0,
            total_chunks=2,
            content="text",
            content_hash="0" * 64,
            embedding=b"\0\0\x80?",
        ),
    ]


def _assistant_rows(user: User) -> list[Base]:
    return [
        MessageHistory(
            conversation=Conversation(session_id="s-1", user=user),
            user=user,
            user_message="hello",
            confidence_score=0.5,
        ),
        Note(user=user, title="Shopping", content="bread"),
        Event(
            user=user,
            title="Stand-up",
            starts_at=MORNING,
            ends_at=NOON,
            recurrence_rule="FREQ=DAILY",
        ),
    ]
