"""For every index the query that it is there for.

Where the shape of an index tells (a foreign key's own, a tenant's list by key, a unique key) its
query follows from it; every other index is named here. A query gets a session and a row to look
for, and returns what it finds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from qadb.models import (
    SLA,
    AgentExecution,
    AuditLog,
    Bug,
    CodeAnalysis,
    Conversation,
    CoverageData,
    Event,
    FailureAnalysis,
    Feature,
    Hold,
    IngestFile,
    LLMRoundTableResult,
    MessageHistory,
    Note,
    Order,
    PerformanceBaseline,
    PerformanceResult,
    SecurityIssue,
    SyncEvent,
    TestRun,
    ToolExecution,
    UserStory,
)
from qadb.repositories.environments import EnvironmentRepository
from qadb.repositories.generic.base import Repository
from qadb.repositories.test_cases import TestCaseRepository
from qadb.repositories.test_results import TestResultRepository
from qadb.repositories.test_runs import TestRunRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session


Rows: TypeAlias = "Sequence[object] | object | None"
Query: TypeAlias = "Callable[[Session, Any], Rows]"  # Any: a row of whichever model the index is of

PAGE = 50
MONTH = timedelta(days=30)

# An administrator's, over all tenants. In a session of one, SQLite goes by its tenant instead where
# it has an index for that: it knows how many rows a value has on average, not which are rare.
EVERYWHERE = {
    "idx_code_analyses_risk_level",
    "idx_conversations_current_state",
    "idx_conversations_last_activity_at",
    "idx_environments_status_last_used_at",
}

QUERIES: dict[str, Query] = {
    # Who did what
    "idx_audit_logs_table_name_record_id": lambda s, row: Repository(s, AuditLog).list(
        table_name=row.table_name, record_id=row.record_id, order_by="-id"
    ),
    "idx_audit_logs_tenant_id_created_at": lambda s, _: (
        Repository(s, AuditLog).page(order_by="-created_at").items
    ),
    "idx_audit_logs_user_id_created_at": lambda s, row: Repository(s, AuditLog).list(
        user_id=row.user_id, order_by="-created_at", limit=PAGE
    ),
    # Catalogue
    "idx_environments_status_last_used_at": lambda s, _: EnvironmentRepository(s).available(),
    "idx_orders_tenant_id_created_at": lambda s, _: (
        Repository(s, Order).page(order_by="-created_at").items
    ),
    "idx_features_section_id": lambda s, row: Repository(s, Feature).list(
        section_id=row.section_id
    ),
    "idx_user_stories_section_id": lambda s, row: Repository(s, UserStory).list(
        section_id=row.section_id
    ),
    "idx_sync_events_tenant_id_source_entity_started_at": lambda s, row: Repository(
        s, SyncEvent
    ).list(source=row.source, entity=row.entity, order_by="-started_at", limit=1),
    # Tests, runs, results
    "idx_test_cases_target_subsystem_test_type_id": lambda s, row: TestCaseRepository(
        s
    ).list_by_subsystem(row.target_subsystem, test_type=row.test_type.code),
    "idx_test_runs_tenant_id_started_at": lambda s, _: TestRunRepository(s).recent(),
    "idx_test_runs_tenant_id_status_started_at": lambda s, _: (
        Repository(s, TestRun).page(status="failed", order_by="-started_at").items
    ),
    "idx_test_results_test_case_id_run_id": lambda s, row: (
        TestResultRepository(s).history(row.test_case_id).items
    ),
    "idx_test_results_signature_executed_at": lambda s, row: (
        TestResultRepository(s).with_signature(row.signature).items
    ),
    "idx_bugs_tenant_id_status_severity": lambda s, _: Repository(s, Bug).list(
        status="open", severity="critical"
    ),
    "idx_holds_tenant_id_scope_scope_id": lambda s, row: Repository(s, Hold).list(
        scope=row.scope, scope_id=row.scope_id
    ),
    "idx_ingest_files_tenant_id_sha256": lambda s, row: Repository(s, IngestFile).list(
        sha256=row.sha256
    ),
    # Quality
    "idx_coverage_data_tenant_id_collected_at": lambda s, row: Repository(s, CoverageData).list(
        collected_at__gte=row.collected_at - MONTH, collected_at__lt=row.collected_at
    ),
    "idx_code_analyses_commit_sha": lambda s, row: Repository(s, CodeAnalysis).list(
        commit_sha=row.commit_sha
    ),
    "idx_code_analyses_risk_level": lambda s, _: Repository(s, CodeAnalysis).list(
        risk_level="critical"
    ),
    "idx_code_analyses_tenant_id_analyzed_at": lambda s, _: (
        Repository(s, CodeAnalysis).page(order_by="-analyzed_at").items
    ),
    "idx_failure_analyses_tenant_id_signature": lambda s, row: Repository(s, FailureAnalysis).list(
        signature=row.signature
    ),
    "idx_security_issues_tenant_id_status_severity": lambda s, _: Repository(s, SecurityIssue).list(
        status="open", severity="critical"
    ),
    # Performance
    "idx_performance_baselines_metric": lambda s, row: Repository(s, PerformanceBaseline).list(
        application_id=row.application_id, metric=row.metric, order_by="-valid_from", limit=1
    ),
    "idx_performance_results_tenant_id_request_name_scenario_run_id": lambda s, row: Repository(
        s, PerformanceResult
    ).list(request_name=row.request_name, scenario=row.scenario, order_by="-run_id", limit=PAGE),
    "idx_slas_tenant_id_application_id_metric": lambda s, row: Repository(s, SLA).list(
        application_id=row.application_id, metric=row.metric
    ),
    # Agents
    "idx_agent_executions_tenant_id_created_at": lambda s, row: Repository(s, AgentExecution).list(
        created_at__gte=row.created_at - MONTH, created_at__lt=row.created_at
    ),
    "idx_tool_executions_tenant_id_created_at": lambda s, row: Repository(s, ToolExecution).list(
        created_at__gte=row.created_at - MONTH, created_at__lt=row.created_at
    ),
    "idx_tool_executions_tenant_id_correlation_id": lambda s, row: Repository(
        s, ToolExecution
    ).list(correlation_id=row.correlation_id),
    "idx_llm_round_table_results_tenant_id_task_category": lambda s, row: Repository(
        s, LLMRoundTableResult
    ).list(task_category=row.task_category),
    # Assistant
    "idx_conversations_current_state": lambda s, _: Repository(s, Conversation).list(
        current_state="escalated"
    ),
    "idx_conversations_last_activity_at": lambda s, row: Repository(s, Conversation).list(
        last_activity_at__between=(row.last_activity_at - timedelta(hours=1), row.last_activity_at)
    ),
    "idx_message_history_intent_detected": lambda s, row: Repository(s, MessageHistory).list(
        intent_detected=row.intent_detected
    ),
    "idx_message_history_tenant_id_created_at": lambda s, _: (
        Repository(s, MessageHistory).page(order_by="-created_at").items
    ),
    "idx_events_user_id_starts_at": lambda s, row: Repository(s, Event).list(
        user_id=row.user_id, starts_at__gte=row.starts_at, order_by="starts_at"
    ),
    "idx_notes_user_id": lambda s, row: Repository(s, Note).list(user_id=row.user_id),
}
