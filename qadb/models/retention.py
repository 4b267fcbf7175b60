"""Retention of the built-in schema: how long test results and all else stay, and what keeps them.

Plain data: it imports no model. Tables that are not named here, and those without days, keep
everything; configuration may say otherwise.
"""

from __future__ import annotations

from qadb.retention import (
    Condition,
    Flag,
    Follower,
    Holds,
    HoldScope,
    Policy,
    Reference,
    Retention,
)

RUN_DAYS = 180
EXECUTION_DAYS = 90
LOG_DAYS = 730
FIXED_DAYS = 180
SOFT_DAYS = 30

_DELETED = "deleted_at"

# Children first; what refers to nothing but the run comes in any order.
_OF_A_RUN = (
    Follower("failure_analyses", "run_id"),
    Follower("test_results", "run_id", gathered_by="test_case_id"),
    Follower("coverage_data", "run_id"),
    Follower("performance_results", "run_id"),
    Follower("ingest_files", "run_id"),
)

# A bug is open until it is fixed or rejected, as for `BugRepository`; an analysis is unresolved
# until it names a cause.
_KEEP_A_RUN = (
    Reference("baseline", "performance_baselines", "run_id"),
    Reference(
        "open_bug",
        "bugs",
        "run_id",
        (
            Condition("status", ("fixed", "rejected"), is_negated=True),
            Condition(_DELETED, (None,)),
        ),
    ),
    Reference(
        "failure_analysis", "failure_analyses", "run_id", (Condition("root_cause", (None, "")),)
    ),
)


def _soft(table: str, *followers: Follower) -> Policy:
    return Policy(table, _DELETED, SOFT_DAYS, is_soft=True, followers=followers)


retention = Retention(
    policies=(
        # What refers to others stands before them.
        _soft("bugs"),
        _soft("notes"),
        _soft("events"),
        _soft("test_cases", Follower("test_case_features", "test_case_id")),
        _soft("environments"),
        _soft("products"),
        _soft("applications"),
        _soft("users"),
        Policy("conversations", "last_activity_at", None, spares_referenced=True),
        Policy("code_analyses", "analyzed_at", None, spares_referenced=True),
        Policy("sync_events", "started_at", None),
        Policy("message_history", "created_at", EXECUTION_DAYS),
        Policy("tool_executions", "created_at", EXECUTION_DAYS),
        Policy("agent_executions", "created_at", EXECUTION_DAYS),
        Policy("llm_round_table_results", "created_at", EXECUTION_DAYS),
        Policy(
            "security_issues",
            "fixed_at",
            FIXED_DAYS,
            conditions=(Condition("status", ("fixed",)),),
        ),
        Policy(
            "test_runs",
            "started_at",
            RUN_DAYS,
            groups=("tenant_id", "application_id", "environment_id"),
            followers=_OF_A_RUN,
            flags=(Flag("protected", "is_protected"),),
            references=_KEEP_A_RUN,
            size_column="total",
            obeys_days=True,
        ),
        Policy("audit_logs", "created_at", LOG_DAYS, is_log=True),
    ),
    holds=Holds(
        "holds",
        (
            HoldScope("tenant", "tenant_id"),
            HoldScope("application", "application_id", "applications", "code"),
            HoldScope("run", "run_id", "test_runs", "run_key"),
        ),
    ),
    log_table="audit_logs",
)
