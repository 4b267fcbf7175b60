"""For every rule of every model: SQL and attributes that break it in an otherwise valid row."""

from __future__ import annotations

from qadb.models import (
    SLA,
    AgentExecution,
    AuditLog,
    Base,
    Bug,
    CodeAnalysis,
    Country,
    CoverageData,
    Environment,
    Event,
    FailureAnalysis,
    HardwareConfig,
    Hold,
    IngestFile,
    MessageHistory,
    Order,
    PerformanceBaseline,
    PerformanceResult,
    Product,
    RAGDocument,
    SecurityIssue,
    SyncEvent,
    Tenant,
    TestCase,
    TestResult,
    TestRun,
    ToolExecution,
    User,
)
from tests.models.rows import MORNING, NOON

# Bytes as both engines read them.
FIVE_BYTES = "CAST('12345' AS bytea)"
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
BROKEN |= {
    (CoverageData, "covered_lines_range"): ("covered_lines = -1", {"covered_lines": -1}),
    (CoverageData, "covered_branches_range"): ("covered_branches = -1", {"covered_branches": -1}),
    (CoverageData, "covered_functions_range"): (
        "covered_functions = -1",
        {"covered_functions": -1},
    ),
    (CoverageData, "covered_lines_limit"): (
        "covered_lines = 3",
        {"covered_lines": 3, "total_lines": 2},
    ),
    (CoverageData, "covered_branches_limit"): (
        "covered_branches = 1",
        {"covered_branches": 1, "total_branches": 0},
    ),
    (CoverageData, "covered_functions_limit"): (
        "covered_functions = 1",
        {"covered_functions": 1, "total_functions": 0},
    ),
    (CoverageData, "declared_rate_range"): ("declared_rate = 1.1", {"declared_rate": 1.1}),
    (CodeAnalysis, "risk_level_known"): ("risk_level = 'some'", {"risk_level": "some"}),
    (FailureAnalysis, "confidence_range"): ("confidence = -0.1", {"confidence": -0.1}),
    (SecurityIssue, "occurrence_range"): ("occurrence = 0", {"occurrence": 0}),
    (SecurityIssue, "severity_known"): ("severity = 'huge'", {"severity": "huge"}),
    (SecurityIssue, "line_range"): ("line = 0", {"line": 0}),
    (SecurityIssue, "status_known"): ("status = 'gone'", {"status": "gone"}),
    (SecurityIssue, "last_seen_at_order"): (
        f"first_seen_at = '{LATE}', last_seen_at = '{EARLY}'",
        {"first_seen_at": NOON, "last_seen_at": MORNING},
    ),
    (SecurityIssue, "fixed_at_order"): (
        f"first_seen_at = '{LATE}', fixed_at = '{EARLY}'",
        {"first_seen_at": NOON, "fixed_at": MORNING},
    ),
    (PerformanceResult, "total_requests_sum"): (
        "total_requests = 7",
        {"total_requests": 7, "ok_requests": 1, "ko_requests": 1},
    ),
    (PerformanceResult, "total_requests_range"): (
        "total_requests = -1",
        {"total_requests": -1},
    ),
    (PerformanceResult, "ok_requests_range"): (
        "total_requests = 0, ok_requests = -1, ko_requests = 1",
        {"ok_requests": -1},
    ),
    (PerformanceResult, "ko_requests_range"): (
        "total_requests = 1, ko_requests = -1",
        {"ko_requests": -1},
    ),
    (PerformanceBaseline, "direction_known"): ("direction = 'up'", {"direction": "up"}),
    (PerformanceBaseline, "tolerance_pct_range"): ("tolerance_pct = -1", {"tolerance_pct": -1}),
    (PerformanceBaseline, "valid_to_order"): (
        f"valid_from = '{LATE}', valid_to = '{EARLY}'",
        {"valid_from": NOON, "valid_to": MORNING},
    ),
    (SLA, "direction_known"): ("direction = 'up'", {"direction": "up"}),
    (AgentExecution, "status_known"): ("status = 'gone'", {"status": "gone"}),
    (AgentExecution, "tokens_used_range"): ("tokens_used = -1", {"tokens_used": -1}),
    (AgentExecution, "duration_ms_range"): ("duration_ms = -1", {"duration_ms": -1}),
    (ToolExecution, "status_known"): ("status = 'gone'", {"status": "gone"}),
    (ToolExecution, "duration_ms_range"): ("duration_ms = -1", {"duration_ms": -1}),
    (RAGDocument, "chunk_index_range"): ("chunk_index = -1", {"chunk_index": -1}),
    (RAGDocument, "chunk_index_limit"): ("chunk_index = 2", {"chunk_index": 2, "total_chunks": 2}),
    (RAGDocument, "content_hash_shape"): ("content_hash = 'XYZ'", {"content_hash": "XYZ"}),
    (RAGDocument, "embedding_float32"): (f"embedding = {FIVE_BYTES}", {"embedding": b"12345"}),
    (MessageHistory, "confidence_score_range"): (
        "confidence_score = 1.1",
        {"confidence_score": 1.1},
    ),
    (Event, "ends_at_order"): (
        f"starts_at = '{LATE}', ends_at = '{EARLY}'",
        {"starts_at": NOON, "ends_at": MORNING},
    ),
    (Event, "recurrence_rule_rfc5545"): (
        "recurrence_rule = 'every day'",
        {"recurrence_rule": "every day"},
    ),
}
BROKEN |= {
    (PerformanceResult, f"{name}_range"): (f"{name} = -1", {name: -1})
    for name in (
        "mean_response_time_ms",
        "p50_response_time_ms",
        "p95_response_time_ms",
        "p99_response_time_ms",
        "max_response_time_ms",
        "rps_achieved",
    )
}
