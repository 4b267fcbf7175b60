"""What a row's columns hold, by the row's number: several tenants, skew, NULLs, shares as in life.

A recipe stands here for every column whose value does not follow from its type. What no index,
key or rule asks for stays empty, so that rows are narrow: planners then need better reasons for
an index than they would have in life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Integer, String, UniqueConstraint, Uuid

from qadb.models.types import ScaledNumeric, UtcDateTime
from tests.plans.words import ROWS, chosen, skewed, sometimes, spread

if TYPE_CHECKING:
    from sqlalchemy import Column, ForeignKey, Table

    from tests.plans.words import Words

TENANTS = 200
ACME = 10  # a tenant of the middle: one row in a hundred is its own
REFERENCE_ROWS = {"tenants": TENANTS, "roles": 1000, "permissions": 500}
TEST_TYPES = 7

_RUN_OF_RESULT = "1 + n / 100"
_CASE_OF_RESULT = "1 + n % 100 * 37 + n / 100 % 20"
_RESULTS: dict[str | None, int] = {
    "passed": 900,
    "failed": 60,
    "error": 15,
    "skipped": 20,
    "timeout": 5,
}
_SEVERITIES: dict[str | None, int] = {"low": 500, "medium": 350, "high": 120, "critical": 30}
_STATUS_OF_RESULT = chosen("results", _RESULTS)


def _tenant(number: str) -> str:
    names = f"WHEN 1 THEN 'default' WHEN {ACME} THEN 'acme' ELSE 'tenant-' || {number}"
    return f"CASE {number} {names} END"


RECIPES = {
    "tenants.id": _tenant("n"),
    "audit_logs.table_name": chosen("t", {"users": 300, "products": 600, "slas": 100}),
    "audit_logs.record_id": f"CAST({skewed('record', ROWS)} AS text)",
    "audit_logs.user_id": f"1 + {skewed('actor', ROWS)}",
    "audit_logs.action_type": "'UPDATE'",
    "permissions.code": "'custom.' || n",
    "role_permissions.role_id": "5 + n / 101",
    "role_permissions.permission_id": "20 + n % 101 * 4 + n / 101 % 4",
    "users.role_id": f"1 + {skewed('role', 1000)}",
    "users.telegram_id": sometimes("telegram", "n", one_in=4),
    "users.email": sometimes("email", "'user' || n || '@example.org'", one_in=2),
    "holds.scope": chosen("scope", {"run": 900, "application": 90, "tenant": 10}),
    "conversations.current_state": chosen(
        "state", {"idle": 900, "awaiting_input": 90, "escalated": 10}
    ),
    "environments.status": chosen(
        "status", {"busy": 700, "offline": 240, "available": 30, "retired": 30}
    ),
    "llm_round_table_results.task_category": f"'category-' || {skewed('category', 40)}",
    "rag_documents.document_id": "'document-' || (n / 10)",
    "rag_documents.chunk_index": "n % 10",
    "rag_documents.total_chunks": "10",
    "rag_documents.content_hash": "{digest}",
    "sync_events.source": chosen("source", {"jira": 700, "testrail": 250, "csv": 50}),
    "sync_events.entity": chosen("entity", {"feature": 600, "user_story": 350, "product": 50}),
    "code_analyses.commit_sha": f"'sha-' || ({spread('sha')} / 4)",
    "code_analyses.risk_level": chosen("risk", {**_SEVERITIES, "critical": 10, "high": 140}),
    "features.section_id": f"'section-' || {skewed('section', 2000)}",
    "user_stories.section_id": f"'section-' || {skewed('section', 2000)}",
    "message_history.intent_detected": f"'intent-' || {skewed('intent', 60)}",
    "slas.metric": chosen("metric", {"p95_response_time_ms": 800, "rps_achieved": 200}),
    "test_cases.test_type_id": f"CASE WHEN {spread('kind')} % 4 > 0 THEN 1 + "
    f"{skewed('kind', TEST_TYPES)} END",
    "test_cases.target_subsystem": sometimes(
        "subsystem", f"'subsystem-' || {skewed('subsystem', 100)}", one_in=2
    ),
    "test_runs.country_id": f"CASE {spread('country')} % 100 WHEN 0 THEN 'NZ' WHEN 1 THEN 'IS' "
    "WHEN 2 THEN 'US' WHEN 3 THEN 'US' WHEN 4 THEN 'DE' END",
    "test_runs.test_type_id": f"CASE WHEN {spread('kind')} % 4 > 0 THEN 1 + "
    f"{skewed('kind', TEST_TYPES)} END",
    "test_runs.status": chosen(
        "status", {"completed": 930, "failed": 50, "cancelled": 15, "running": 5}
    ),
    "bugs.status": chosen(
        "bug", {"fixed": 700, "rejected": 150, "known": 50, "open": 70, "confirmed": 30}
    ),
    "bugs.severity": chosen("severity", _SEVERITIES),
    "coverage_data.run_id": "1 + n / 20",
    "coverage_data.file": "'src/module_' || (n % 20) || '.py'",
    "ingest_files.run_id": "n",
    "ingest_files.sha256": "{digest}",
    "performance_baselines.metric": chosen("m", {"p95_response_time_ms": 800, "rps": 200}),
    "performance_results.run_id": "1 + n / 20",
    "performance_results.request_name": "'GET /page/' || (n % 20)",
    "performance_results.scenario": "'load'",
    "security_issues.tool": "'bandit'",
    "security_issues.status": chosen("issue", {"fixed": 850, "false_positive": 60, "open": 90}),
    "security_issues.severity": chosen("severity", _SEVERITIES),
    "test_case_features.test_case_id": "1 + n / 2",
    "test_case_features.feature_id": "1 + n / 50 + n % 2 * 50000",
    "test_results.run_id": _RUN_OF_RESULT,
    "test_results.test_case_id": _CASE_OF_RESULT,
    "test_results.occurrence": "1",
    "test_results.attempt": "1",
    "test_results.status": _STATUS_OF_RESULT,
    "test_results.signature": f"CASE WHEN {_STATUS_OF_RESULT} IN ('failed', 'error', 'timeout') "
    f"THEN 'signature-' || {skewed('signature', 1500)} END",
    "failure_analyses.run_id": _RUN_OF_RESULT,
    "failure_analyses.test_case_id": _CASE_OF_RESULT,
    "failure_analyses.occurrence": "1",
    "failure_analyses.attempt": "1",
    "failure_analyses.signature": f"'signature-' || {skewed('signature', 1500)}",
    "notes.title": "'note word' || n",
    "notes.content": f"'about thing' || {skewed('thing', 5000)}",
}


def values_of(table: Table, words: Words) -> dict[str, str]:
    """Return the SQL for each column that a row fills, over its number ``n``."""
    found = {column.name: _value(column, words) for column in table.columns}
    return {name: value for name, value in found.items() if value is not None}


def _value(column: Column[object], words: Words) -> str | None:
    name = f"{column.table.name}.{column.name}"
    recipe = RECIPES.get(name)
    if recipe is not None:
        return recipe.replace("{digest}", words.digest("n"))
    if column.foreign_keys:
        return _reference(column, next(iter(column.foreign_keys)), words)
    if column.name == "tenant_id":
        return _tenant(f"(1 + {skewed(name, TENANTS)})")
    if column.name == "deleted_at":
        return sometimes(name, words.moment("n"), one_in=50)
    is_required = not column.nullable and column.server_default is None
    if is_required or column.primary_key or column.name == "created_at" or _is_indexed(column):
        return _by_type(column, words)
    return None


def _reference(column: Column[object], key: ForeignKey, words: Words) -> str:
    name = f"{column.table.name}.{column.name}"
    parent = key.column
    if column.name == "tenant_id":
        return _tenant(f"(1 + {skewed(name, TENANTS)})")
    number = f"1 + {skewed(name, REFERENCE_ROWS.get(parent.table.name, ROWS))}"
    value = words.uuid(number) if isinstance(parent.type, Uuid) else number
    return sometimes(name, value, one_in=3) if column.nullable else value


def _is_indexed(column: Column[object]) -> bool:
    table = column.table
    unique = [item for item in table.constraints if isinstance(item, UniqueConstraint)]
    return any(column.name in columns for columns in (item.columns for item in unique)) or any(
        column.name in index.columns for index in table.indexes
    )


def _by_type(column: Column[object], words: Words) -> str:
    match column.type:
        case UtcDateTime():
            return words.moment("n")
        case Uuid():
            return words.uuid("n")
        case String():
            return f"'{column.name}-' || n"
        case Integer() | ScaledNumeric():
            return "n" if column.primary_key or _is_indexed(column) else "1"
        case _:
            raise TypeError(f"no recipe for {column.table.name}.{column.name}")
