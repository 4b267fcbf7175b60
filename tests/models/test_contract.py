"""What the domain promises of its tables in so many words, tried on a migrated database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import String, Text, inspect
from sqlalchemy.orm.attributes import set_committed_value

from qadb.models import Base, metadata
from tests.models.rows import one_row_of_each

if TYPE_CHECKING:
    from sqlalchemy import Connection

RISKS = {"low", "medium", "high", "critical"}
WORDS: dict[str, set[str]] = {
    "agent_executions.status": {"running", "completed", "failed"},
    "audit_logs.action_type": {"INSERT", "UPDATE", "DELETE"},
    "bugs.severity": RISKS,
    "bugs.status": {"open", "confirmed", "fixed", "rejected", "known"},
    "code_analyses.risk_level": RISKS,
    "environments.kind": {"local", "ci", "dev", "staging", "production"},
    "environments.status": {"available", "busy", "offline", "retired"},
    "holds.scope": {"tenant", "application", "run"},
    "orders.status": {"pending", "processing", "completed", "cancelled"},
    "performance_baselines.direction": {"lower", "higher"},
    "products.status": {"draft", "published", "archived"},
    "security_issues.severity": RISKS | {"info"},
    "security_issues.status": {"open", "triaged", "fixed", "false_positive"},
    "slas.direction": {"lower", "higher"},
    "sync_events.status": {"running", "completed", "failed"},
    "test_results.status": {"passed", "failed", "error", "skipped", "timeout"},
    "test_runs.result": {"success", "failure", "error", "timeout"},
    "test_runs.status": {"pending", "running", "completed", "failed", "cancelled"},
    "tool_executions.status": {"running", "success", "failed"},
}

DELETED_SOFTLY = {"applications", "bugs", "environments", "events", "notes", "products"}
DELETED_SOFTLY |= {"test_cases", "users"}
WITH_AUTHORS = {"applications", "bugs", "environments", "products", "slas", "test_cases", "users"}

# What goes with a row, and what keeps it; everything else only forgets it.
CASCADES = {
    "conversations.user_id",
    "coverage_data.run_id",
    "events.user_id",
    "failure_analyses.run_id",
    "features.product_id",
    "ingest_files.run_id",
    "message_history.conversation_id",
    "message_history.user_id",
    "notes.user_id",
    "performance_baselines.application_id",
    "performance_results.run_id",
    "role_permissions.permission_id",
    "role_permissions.role_id",
    "slas.application_id",
    "test_case_features.feature_id",
    "test_case_features.test_case_id",
    "test_results.run_id",
    "user_stories.product_id",
}
RESTRICTS = {
    "performance_baselines.environment_id",
    "performance_baselines.hardware_config_id",
    "performance_baselines.run_id",
    "security_issues.application_id",
    "test_cases.test_type_id",
    "test_results.test_case_id",
    "test_runs.application_id",
    "test_runs.country_id",
    "test_runs.test_type_id",
    "users.role_id",
}

# Values that stand on the edge of a rule and keep it.
ON_THE_EDGE = (
    "UPDATE coverage_data SET declared_rate = 0",
    "UPDATE coverage_data SET declared_rate = 1",
    "UPDATE coverage_data SET total_lines = 2, covered_lines = 2",
    "UPDATE events SET ends_at = starts_at",
    "UPDATE failure_analyses SET confidence = 1",
    "UPDATE hardware_configs SET memory_mb = 1, storage_gb = 1",
    "UPDATE holds SET released_at = placed_at",
    "UPDATE message_history SET confidence_score = 0",
    "UPDATE performance_baselines SET valid_to = valid_from, tolerance_pct = 0",
    "UPDATE performance_results SET total_requests = 3, ok_requests = 1, ko_requests = 2",
    "UPDATE products SET price = 0, inventory_quantity = 0",
    "UPDATE rag_documents SET chunk_index = 0, total_chunks = 1",
    "UPDATE security_issues SET line = 1, fixed_at = first_seen_at",
    "UPDATE sync_events SET completed_at = started_at",
    "UPDATE test_runs SET ended_at = started_at, duration_seconds = 0",
    "UPDATE test_runs SET total = 10, passed = 1, failed = 2, errors = 3, skipped = 4",
    f"UPDATE users SET username = '{'u' * 50}', first_name = '{'f' * 100}', last_name = 'l'",
    f"UPDATE users SET username = 'abc', password_hash = '{'p' * 60}'",
    f"UPDATE users SET password_hash = '{'p' * 255}', session_timeout_minutes = 1",
)


def test_words_are_those_that_were_agreed() -> None:
    declared = {
        f"{mapper.class_.__tablename__}.{rule.columns[0]}": {*re.findall("'(.*?)'", rule.sql)}
        for mapper in Base.registry.mappers
        for rule in mapper.class_.__rules__
        if rule.name.endswith("_known")
    }
    assert declared == WORDS


@pytest.mark.parametrize("column", sorted(set(WORDS) - {"audit_logs.action_type"}))
def test_every_word_is_accepted(filled: Connection, column: str) -> None:
    table, name = column.split(".")
    filled.exec_driver_sql("UPDATE test_results SET signature = NULL")
    for word in sorted(WORDS[column]):
        changed = filled.exec_driver_sql(f"UPDATE {table} SET {name} = '{word}'")
        assert changed.rowcount == 1, word


@pytest.mark.parametrize("statement", ON_THE_EDGE)
def test_what_only_just_keeps_a_rule_is_accepted(filled: Connection, statement: str) -> None:
    assert filled.exec_driver_sql(statement).rowcount == 1


def test_tables_that_are_deleted_softly_or_have_authors() -> None:
    tables = metadata.tables.items()
    assert {name for name, table in tables if "deleted_at" in table.c} == DELETED_SOFTLY
    for column in ("created_by", "updated_by"):
        assert {name for name, table in tables if column in table.c} == WITH_AUTHORS


def test_unique_keys_of_what_is_deleted_softly_hold_over_live_rows() -> None:
    for name in DELETED_SOFTLY:
        table = metadata.tables[name]
        unique = [index for index in table.indexes if index.unique]
        assert {str(index.dialect_kwargs["sqlite_where"]) for index in unique} <= {
            "deleted_at IS NULL"
        }


def test_rows_go_stay_or_forget_as_was_agreed() -> None:
    actions = {
        f"{table.name}.{key.column_keys[0]}": key.ondelete
        for table in metadata.tables.values()
        for key in table.foreign_key_constraints
    }
    tenants = {name for name in actions if name.endswith(".tenant_id")}
    assert {name for name, action in actions.items() if action == "CASCADE"} == CASCADES
    assert {name for name, action in actions.items() if action == "RESTRICT"} == (
        RESTRICTS | tenants
    )


@pytest.mark.parametrize("row", one_row_of_each(), ids=lambda row: type(row).__name__)
def test_no_repr_shows_a_secret_or_a_long_text(row: Base) -> None:
    for column in inspect(type(row)).columns:
        if isinstance(column.type, String | Text):
            secret = column.name.endswith("_hash") and type(row).__name__ == "User"
            set_committed_value(row, column.key, "secret" if secret else "z" * 500)
    assert "secret" not in repr(row)
    assert "z" * 81 not in repr(row)
