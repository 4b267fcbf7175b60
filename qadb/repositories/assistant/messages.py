"""Messages between users and the bot: entered, listed, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from qadb.models import Conversation, MessageHistory
from qadb.repositories.assistant.conversations import ConversationRepository
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.limits import require_limit
from qadb.repositories.generic.periods import period_start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement

MOST_INTENTS = 10
RECENT_ROWS = 50
STREAM_ROWS = 500


@dataclass(frozen=True, slots=True)
class IntentCount:
    """How often an intent was detected."""

    intent: str
    messages: int


@dataclass(frozen=True, slots=True)
class MessageStatistics:
    """Figures over messages.

    Attributes:
        total_conversations: those that the messages belong to.
        unique_intents: how many different ones were detected.
        mean_confidence_score: over messages that have one, 0 to 1; None when none has.
        top_intents: the most frequent, ties by name.
    """

    total_messages: int
    total_conversations: int
    unique_intents: int
    mean_confidence_score: float | None
    top_intents: tuple[IntentCount, ...]


class MessageRepository(Repository[MessageHistory]):
    """What users said and the bot answered."""

    model = MessageHistory

    def add_message(
        self,
        user_id: int,
        session_id: str,
        user_message: str | None = None,
        bot_response: str | None = None,
        intent_detected: str | None = None,
        entities_extracted: Mapping[str, object] | None = None,
        confidence_score: float | None = None,
    ) -> MessageHistory:
        """Add a message to the user's conversation, which begins where there is none.

        Raises:
            RowNotFound: there is no such user.
            ConflictError: the session is another user's.
            ValueError: a value breaks a rule of the model.
        """
        message = MessageHistory(
            user_id=user_id,
            user_message=user_message,
            bot_response=bot_response,
            intent_detected=intent_detected,
            entities_extracted=None if entities_extracted is None else dict(entities_extracted),
            confidence_score=confidence_score,
        )
        conversations = ConversationRepository(self.session)
        conversation = conversations.get_or_create(user_id, session_id)
        conversations.touch(conversation)
        message.tenant_id, message.conversation_id = conversation.tenant_id, conversation.id
        return self.add(message)

    def recent(self, session_id: str, limit: int = RECENT_ROWS) -> Sequence[MessageHistory]:
        """Return a conversation's last messages, the newest first.

        Raises:
            ValueError: a limit below 1.
        """
        query = (
            self.query()
            .join(MessageHistory.conversation)
            .where(Conversation.session_id == session_id)
            .order_by(MessageHistory.created_at.desc(), MessageHistory.id.desc())
            .limit(require_limit(limit))
        )
        return self.session.scalars(query).all()

    def get_statistics(
        self,
        user_id: int | None = None,
        days: int | None = None,
        *,
        top: int = MOST_INTENTS,
        now: datetime | None = None,
    ) -> MessageStatistics:
        """Count messages, conversations and intents.

        Args:
            user_id: of this user only.
            days: of the last days only; None takes all.
            top: how many intents are named.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense.
        """
        within: list[ColumnElement[bool]] = []
        if user_id is not None:
            within.append(MessageHistory.user_id == user_id)
        if days is not None:
            within.append(MessageHistory.created_at >= period_start(days, now))
        query = select(
            func.count(MessageHistory.id),
            func.count(MessageHistory.conversation_id.distinct()),
            func.count(MessageHistory.intent_detected.distinct()),
            func.avg(MessageHistory.confidence_score),
        ).where(*within)
        messages, conversations, intents, mean = self.session.execute(query).one()
        return MessageStatistics(
            total_messages=messages,
            total_conversations=conversations,
            unique_intents=intents,
            mean_confidence_score=None if mean is None else round(float(mean), 6),
            top_intents=self._top_intents(within, top),
        )

    def _top_intents(
        self, within: Sequence[ColumnElement[bool]], top: int
    ) -> tuple[IntentCount, ...]:
        """Ranked here: engines sort the names of those that tie each in their own way."""
        intent = MessageHistory.intent_detected
        query = (
            select(intent, func.count())
            .where(intent.is_not(None), *within)
            .group_by(intent)
            .execution_options(yield_per=STREAM_ROWS)
        )
        counts = (IntentCount(name or "", count) for name, count in self.session.execute(query))
        return tuple(nsmallest(top, counts, key=lambda each: (-each.messages, each.intent)))
