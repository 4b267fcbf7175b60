"""Imports every model, so that names in relationships resolve and the metadata is whole."""

from __future__ import annotations

from qadb.models.agents import AgentExecution, LLMRoundTableResult, RAGDocument, ToolExecution
from qadb.models.assistant import Conversation, Event, MessageHistory, Note
from qadb.models.base import Base
from qadb.models.bugs import Bug
from qadb.models.catalog import Application, Country, Environment, HardwareConfig, TestType
from qadb.models.identity import AuditLog, Permission, Role, RolePermission, Tenant, User
from qadb.models.ingestion import IngestFile, SyncEvent
from qadb.models.performance import SLA, PerformanceBaseline, PerformanceResult
from qadb.models.products import Feature, Order, Product, UserStory
from qadb.models.quality import CodeAnalysis, CoverageData, FailureAnalysis, SecurityIssue
from qadb.models.test_case_features import TestCaseFeature
from qadb.models.test_cases import TestCase
from qadb.models.test_results import TestResult
from qadb.models.test_runs import Hold, TestRun

metadata = Base.metadata

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
]
