"""Agents: what they did, with which tools, how models compared, and the text they look up."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models.base import Base
from qadb.models.mixins import HasTenant, HasTimestamps, HasUuid
from qadb.models.rules import DIGITS, Rule, at_least, below, float32_bytes, made_of, one_of
from qadb.models.types import Amount, Json, JsonDict, JsonList, ScaledNumeric, UuidKey, tracked_dict

if TYPE_CHECKING:
    from qadb.models.identity import User

AGENT_STATUSES = ("running", "completed", "failed")
TOOL_STATUSES = ("running", "success", "failed")

_MILLISECONDS = ScaledNumeric(12, 3)


class AgentExecution(HasUuid, HasTenant, HasTimestamps, Base):
    """One task that an agent worked on."""

    __tablename__ = "agent_executions"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        one_of("status", AGENT_STATUSES),
        at_least("tokens_used", 0),
        at_least("duration_ms", 0),
    )
    __shown__ = ("tenant_id", "execution_id", "agent_name", "status")
    __table_args__ = (
        UniqueConstraint("tenant_id", "execution_id"),
        Index(None, "tenant_id", "created_at"),
    )

    execution_id: Mapped[str] = mapped_column(String(255))
    agent_name: Mapped[str] = mapped_column(String(255))
    prompt: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), server_default="running")
    result: Mapped[JsonDict | None] = mapped_column(tracked_dict())
    tokens_used: Mapped[int | None]
    duration_ms: Mapped[Amount | None] = mapped_column(_MILLISECONDS)

    tool_executions: Mapped[list[ToolExecution]] = relationship(
        back_populates="agent", passive_deletes=True
    )


class ToolExecution(HasUuid, HasTenant, HasTimestamps, Base):
    """One call of a tool, by an agent's execution or a user."""

    __tablename__ = "tool_executions"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        one_of("status", TOOL_STATUSES),
        at_least("duration_ms", 0),
    )
    __shown__ = ("tenant_id", "correlation_id", "tool_name", "status")
    __table_args__ = (
        Index(None, "tenant_id", "correlation_id"),
        Index(None, "tenant_id", "created_at"),
    )

    correlation_id: Mapped[str | None] = mapped_column(String(255))
    tool_name: Mapped[str] = mapped_column(String(255))
    agent_id: Mapped[UuidKey | None] = mapped_column(
        ForeignKey("agent_executions.id", ondelete="SET NULL")
    )
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    inputs: Mapped[JsonDict | None] = mapped_column(tracked_dict())
    outputs: Mapped[JsonDict | None] = mapped_column(tracked_dict())
    status: Mapped[str] = mapped_column(String(20), server_default="running")
    error: Mapped[str | None] = mapped_column(Text)
    duration_ms: Mapped[Amount | None] = mapped_column(_MILLISECONDS)

    agent: Mapped[AgentExecution | None] = relationship(back_populates="tool_executions")
    user: Mapped[User | None] = relationship(back_populates="tool_executions")


class LLMRoundTableResult(HasUuid, HasTenant, HasTimestamps, Base):
    """One question put to several models, and whose answer won."""

    __tablename__ = "llm_round_table_results"
    __shown__ = ("tenant_id", "result_id", "task_category", "winner_provider")
    __table_args__ = (
        UniqueConstraint("tenant_id", "result_id"),
        Index(None, "tenant_id", "task_category"),
    )

    result_id: Mapped[str] = mapped_column(String(255))
    task_category: Mapped[str | None] = mapped_column(String(100))
    prompt: Mapped[str | None] = mapped_column(Text)
    winner_provider: Mapped[str | None] = mapped_column(String(100))
    winner_response: Mapped[str | None] = mapped_column(Text)
    participants: Mapped[JsonList | None] = mapped_column(Json)
    scores: Mapped[JsonDict | None] = mapped_column(tracked_dict())


class RAGDocument(HasUuid, HasTenant, HasTimestamps, Base):
    """One chunk of a document, with the vector that it is found by.

    `embedding` holds little-endian float32 numbers; chunks count from 0.
    """

    __tablename__ = "rag_documents"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        at_least("chunk_index", 0),
        below("chunk_index", "total_chunks"),
        made_of("content_hash", DIGITS + "abcdef", 64, 64),
        float32_bytes("embedding"),
    )
    __shown__ = ("tenant_id", "document_id", "chunk_index", "total_chunks")
    __table_args__ = (UniqueConstraint("tenant_id", "document_id", "chunk_index"),)

    document_id: Mapped[str] = mapped_column(String(255))
    chunk_index: Mapped[int]
    total_chunks: Mapped[int]
    source_path: Mapped[str | None] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(String(64))
    embedding_model: Mapped[str | None] = mapped_column(String(255))
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary)
    extra_data: Mapped[JsonDict | None] = mapped_column(tracked_dict())
