"""Reading and writing the QA domain, one file an aggregate. The unit of work commits.

Import repositories from here, whichever room they lie in. A repository's module loads when its
name is first asked for: commands need few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qadb.repositories.agents.executions import (
        AgentExecutionRepository,
        ToolExecutionRepository,
    )
    from qadb.repositories.agents.rag_documents import RAGDocumentRepository
    from qadb.repositories.agents.round_tables import RoundTableRepository
    from qadb.repositories.analytics.repository import AnalyticsRepository
    from qadb.repositories.assistant.conversations import ConversationRepository
    from qadb.repositories.assistant.events import EventRepository
    from qadb.repositories.assistant.messages import MessageRepository
    from qadb.repositories.assistant.notes import NoteRepository
    from qadb.repositories.bugs import BugRepository
    from qadb.repositories.environments import EnvironmentRepository
    from qadb.repositories.features import FeatureRepository
    from qadb.repositories.generic.base import Repository
    from qadb.repositories.performance.repository import PerformanceRepository
    from qadb.repositories.products import ProductRepository
    from qadb.repositories.quality.code_analyses import CodeAnalysisRepository
    from qadb.repositories.quality.coverage import CoverageRepository
    from qadb.repositories.quality.failures import FailureRepository
    from qadb.repositories.quality.security import SecurityRepository
    from qadb.repositories.test_cases import TestCaseRepository
    from qadb.repositories.test_results import TestResultRepository
    from qadb.repositories.test_runs import TestRunRepository
    from qadb.repositories.user_stories import UserStoryRepository
    from qadb.repositories.users import UserRepository

__all__ = [
    "AgentExecutionRepository",
    "AnalyticsRepository",
    "BugRepository",
    "CodeAnalysisRepository",
    "ConversationRepository",
    "CoverageRepository",
    "EnvironmentRepository",
    "EventRepository",
    "FailureRepository",
    "FeatureRepository",
    "MessageRepository",
    "NoteRepository",
    "PerformanceRepository",
    "ProductRepository",
    "RAGDocumentRepository",
    "Repository",
    "RoundTableRepository",
    "SecurityRepository",
    "TestCaseRepository",
    "TestResultRepository",
    "TestRunRepository",
    "ToolExecutionRepository",
    "UserRepository",
    "UserStoryRepository",
]

_MODULES = {
    "AgentExecutionRepository": "agents.executions",
    "AnalyticsRepository": "analytics.repository",
    "BugRepository": "bugs",
    "CodeAnalysisRepository": "quality.code_analyses",
    "ConversationRepository": "assistant.conversations",
    "CoverageRepository": "quality.coverage",
    "EnvironmentRepository": "environments",
    "EventRepository": "assistant.events",
    "FailureRepository": "quality.failures",
    "FeatureRepository": "features",
    "MessageRepository": "assistant.messages",
    "NoteRepository": "assistant.notes",
    "PerformanceRepository": "performance.repository",
    "ProductRepository": "products",
    "RAGDocumentRepository": "agents.rag_documents",
    "Repository": "generic.base",
    "RoundTableRepository": "agents.round_tables",
    "SecurityRepository": "quality.security",
    "TestCaseRepository": "test_cases",
    "TestResultRepository": "test_results",
    "TestRunRepository": "test_runs",
    "ToolExecutionRepository": "agents.executions",
    "UserRepository": "users",
    "UserStoryRepository": "user_stories",
}


def __getattr__(name: str) -> object:
    """Load a repository's module when it is first asked for (see the module's docstring)."""
    if name in _MODULES:
        return getattr(import_module(f"qadb.repositories.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
