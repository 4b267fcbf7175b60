"""Reading and writing the QA domain, one file an aggregate. The unit of work commits.

A repository's module loads when its name is first asked for: commands need few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qadb.repositories.agents import AgentExecutionRepository, ToolExecutionRepository
    from qadb.repositories.analytics import AnalyticsRepository
    from qadb.repositories.base import Repository
    from qadb.repositories.bugs import BugRepository
    from qadb.repositories.code_analyses import CodeAnalysisRepository
    from qadb.repositories.conversations import ConversationRepository
    from qadb.repositories.coverage import CoverageRepository
    from qadb.repositories.environments import EnvironmentRepository
    from qadb.repositories.events import EventRepository
    from qadb.repositories.failures import FailureRepository
    from qadb.repositories.features import FeatureRepository
    from qadb.repositories.messages import MessageRepository
    from qadb.repositories.notes import NoteRepository
    from qadb.repositories.performance import PerformanceRepository
    from qadb.repositories.products import ProductRepository
    from qadb.repositories.rag_documents import RAGDocumentRepository
    from qadb.repositories.round_tables import RoundTableRepository
    from qadb.repositories.security import SecurityRepository
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
    "AgentExecutionRepository": "agents",
    "AnalyticsRepository": "analytics",
    "BugRepository": "bugs",
    "CodeAnalysisRepository": "code_analyses",
    "ConversationRepository": "conversations",
    "CoverageRepository": "coverage",
    "EnvironmentRepository": "environments",
    "EventRepository": "events",
    "FailureRepository": "failures",
    "FeatureRepository": "features",
    "MessageRepository": "messages",
    "NoteRepository": "notes",
    "PerformanceRepository": "performance",
    "ProductRepository": "products",
    "RAGDocumentRepository": "rag_documents",
    "Repository": "base",
    "RoundTableRepository": "round_tables",
    "SecurityRepository": "security",
    "TestCaseRepository": "test_cases",
    "TestResultRepository": "test_results",
    "TestRunRepository": "test_runs",
    "ToolExecutionRepository": "agents",
    "UserRepository": "users",
    "UserStoryRepository": "user_stories",
}


def __getattr__(name: str) -> object:
    """Load a repository's module when it is first asked for (see the module's docstring)."""
    if name in _MODULES:
        return getattr(import_module(f"qadb.repositories.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
