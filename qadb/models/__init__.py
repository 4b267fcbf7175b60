"""The QA domain's models and the built-in schema.

Importing this package imports no SQLAlchemy: commands need the schema's marks long before, and
often without, its tables. The models load when the first of them is asked for.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from qadb.schema import Schema, find_migrations

if TYPE_CHECKING:
    from qadb.models.registry import (
        SLA,
        AgentExecution,
        Application,
        AuditLog,
        Base,
        Bug,
        CodeAnalysis,
        Conversation,
        Country,
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
        Permission,
        Product,
        RAGDocument,
        Role,
        RolePermission,
        SecurityIssue,
        SyncEvent,
        Tenant,
        TestCase,
        TestCaseFeature,
        TestResult,
        TestRun,
        TestType,
        ToolExecution,
        User,
        UserStory,
        metadata,
    )

__all__ = [
    "SLA",
    "AgentExecution",
    "Application",
    "AuditLog",
    "Base",
    "Bug",
    "CodeAnalysis",
    "Conversation",
    "Country",
    "CoverageData",
    "Environment",
    "Event",
    "FailureAnalysis",
    "Feature",
    "HardwareConfig",
    "Hold",
    "IngestFile",
    "LLMRoundTableResult",
    "MessageHistory",
    "Note",
    "Order",
    "PerformanceBaseline",
    "PerformanceResult",
    "Permission",
    "Product",
    "RAGDocument",
    "Role",
    "RolePermission",
    "SecurityIssue",
    "SyncEvent",
    "Tenant",
    "TestCase",
    "TestCaseFeature",
    "TestResult",
    "TestRun",
    "TestType",
    "ToolExecution",
    "User",
    "UserStory",
    "metadata",
    "schema",
]

# What the engines keep beside the tables: `qadb.models.audit`, `.replacement` and `.search`.
_UNMAPPED = frozenset(
    {
        "audit_context",
        "replaced_rows",
        "search_document",
        "idx_notes_search_document",
        "notes_search",
        *(f"notes_search_{part}" for part in ("config", "data", "docsize", "idx")),
    }
)

schema = Schema(
    name="qadb",
    metadata_name="qadb.models.registry:metadata",
    migrations=find_migrations(Path(__file__).parent.parent),
    unmapped=_UNMAPPED,
    checks_name="qadb.models.health:CHECKS",
    retention_name="qadb.models.retention:retention",
)


def __getattr__(name: str) -> object:
    """Load the models when the first of them is asked for (see the module's docstring)."""
    if name in __all__:
        return getattr(import_module("qadb.models.registry"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
