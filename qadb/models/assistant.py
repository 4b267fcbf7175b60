"""Assistant: conversations of users with a bot, and what it keeps for them.

All of it goes with its user. How notes are found by their words lies in `qadb.models.search`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from sqlalchemy import Double, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qadb.models import search
from qadb.models.base import Base
from qadb.models.functions import UtcNow
from qadb.models.mixins import HasId, HasTenant, HasTimestamps, IsSoftlyDeleted
from qadb.models.recurrence import recurrence
from qadb.models.rules import Rule, fraction, not_before
from qadb.models.types import (
    JsonDict,
    TextList,
    Timestamp,
    UtcDateTime,
    tracked_dict,
    tracked_text_list,
)

if TYPE_CHECKING:
    from sqlalchemy import Table

    from qadb.models.identity import User


class Conversation(HasId, HasTenant, HasTimestamps, Base):
    """A user's session with the bot, and where in it they are."""

    __tablename__ = "conversations"
    __shown__ = ("tenant_id", "session_id", "current_state")
    __table_args__ = (
        UniqueConstraint("tenant_id", "session_id"),
        Index(None, "current_state"),
        Index(None, "last_activity_at"),
    )

    session_id: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    current_state: Mapped[str | None] = mapped_column(String(100))
    context_data: Mapped[JsonDict] = mapped_column(tracked_dict(), server_default=text("'{}'"))
    last_activity_at: Mapped[Timestamp] = mapped_column(UtcDateTime, server_default=UtcNow())

    user: Mapped[User] = relationship(back_populates="conversations")
    messages: Mapped[list[MessageHistory]] = relationship(
        back_populates="conversation", cascade="all, delete-orphan", passive_deletes=True
    )


class MessageHistory(HasId, HasTenant, HasTimestamps, Base):
    """What a user said, what the bot made of it, and what it answered."""

    __tablename__ = "message_history"
    __rules__: ClassVar[tuple[Rule, ...]] = (fraction("confidence_score"),)
    __shown__ = ("conversation_id", "intent_detected", "confidence_score")
    __table_args__ = (Index(None, "tenant_id", "created_at"), Index(None, "intent_detected"))

    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    user_message: Mapped[str | None] = mapped_column(Text)
    bot_response: Mapped[str | None] = mapped_column(Text)
    intent_detected: Mapped[str | None] = mapped_column(String(100))
    entities_extracted: Mapped[JsonDict | None] = mapped_column(tracked_dict())
    confidence_score: Mapped[float | None] = mapped_column(Double)

    conversation: Mapped[Conversation] = relationship(back_populates="messages")
    user: Mapped[User] = relationship(back_populates="messages")


class Note(HasId, HasTenant, IsSoftlyDeleted, HasTimestamps, Base):
    """Something a user wants to keep, found by its words."""

    __tablename__ = "notes"
    __shown__ = ("tenant_id", "user_id", "title")

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text, server_default=text("''"))
    tags: Mapped[TextList | None] = mapped_column(tracked_text_list())
    category: Mapped[str | None] = mapped_column(String(100))
    is_pinned: Mapped[bool] = mapped_column(server_default=false())

    user: Mapped[User] = relationship(back_populates="notes")


search.attach(cast("Table", Note.__table__))


class Event(HasId, HasTenant, IsSoftlyDeleted, HasTimestamps, Base):
    """Something in a user's calendar, once or again and again."""

    __tablename__ = "events"
    __rules__: ClassVar[tuple[Rule, ...]] = (
        not_before("ends_at", "starts_at"),
        recurrence("recurrence_rule"),
    )
    __shown__ = ("tenant_id", "user_id", "title", "starts_at")
    __table_args__ = (Index(None, "user_id", "starts_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    starts_at: Mapped[Timestamp] = mapped_column(UtcDateTime)
    ends_at: Mapped[Timestamp | None] = mapped_column(UtcDateTime)
    recurrence_rule: Mapped[str | None] = mapped_column(Text)
    extra_data: Mapped[JsonDict | None] = mapped_column(tracked_dict())

    user: Mapped[User] = relationship(back_populates="events")
