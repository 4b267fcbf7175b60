"""Isolation: on PostgreSQL an ordinary role sees and writes one tenant's rows only."""

from __future__ import annotations

from alembic import op

revision: str = "008"
down_revision: str | None = "007"
branch_labels: str | None = None
depends_on: str | None = None

OWNED_BY_TENANTS = [
    "agent_executions",
    "applications",
    "audit_logs",
    "bugs",
    "code_analyses",
    "conversations",
    "coverage_data",
    "environments",
    "events",
    "failure_analyses",
    "features",
    "hardware_configs",
    "holds",
    "ingest_files",
    "llm_round_table_results",
    "message_history",
    "notes",
    "orders",
    "performance_baselines",
    "performance_results",
    "products",
    "rag_documents",
    "security_issues",
    "slas",
    "sync_events",
    "test_case_features",
    "test_cases",
    "test_results",
    "test_runs",
    "tool_executions",
    "user_stories",
    "users",
]

# table: the column that names the row's owner.
OWNER = {"tenants": "id", **dict.fromkeys(OWNED_BY_TENANTS, "tenant_id")}

# Once a transaction-local setting has ended, it reads '' and not NULL.
CURRENT_TENANT = "NULLIF(current_setting('qadb.tenant', true), '')"


def upgrade() -> None:
    if _on_sqlite():
        return
    for table, column in OWNER.items():
        condition = f"{column} = {CURRENT_TENANT}"
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant_isolation ON {table}"
            f" USING ({condition}) WITH CHECK ({condition})"
        )


def downgrade() -> None:
    if _on_sqlite():
        return
    for table in OWNER:
        op.execute(f"DROP POLICY tenant_isolation ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"
