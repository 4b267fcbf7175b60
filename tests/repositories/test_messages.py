"""Messages begin conversations, and are listed and counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from qadb.errors import ConflictError, RowNotFound
from qadb.models import User
from qadb.repositories.assistant.conversations import ConversationRepository
from qadb.repositories.assistant.messages import IntentCount, MessageRepository, MessageStatistics
from qadb.repositories.generic.base import Repository
from tests.repositories.test_conversations import user_of

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOTHING = MessageStatistics(0, 0, 0, None, ())


def test_a_message_begins_its_conversation(acme: UnitOfWork) -> None:
    messages, user = MessageRepository(acme), user_of(acme)
    first = messages.add_message(
        user, "s-1", "hello", "hi", "greet", {"name": ["ada"]}, confidence_score=0.5
    )
    acme.refresh(first)
    assert (first.user_message, first.bot_response) == ("hello", "hi")
    assert (first.intent_detected, first.confidence_score) == ("greet", 0.5)
    assert first.entities_extracted == {"name": ["ada"]}
    assert (first.tenant_id, first.conversation.session_id) == ("acme", "s-1")
    second = messages.add_message(user, "s-1")
    assert second.conversation_id == first.conversation_id
    assert ConversationRepository(acme).count() == 1


def test_a_message_is_activity(acme: UnitOfWork) -> None:
    conversations, user = ConversationRepository(acme), user_of(acme)
    row = conversations.get_or_create(user, "s-1")
    conversations.update(row, last_activity_at=NOON - timedelta(days=9999))
    before = datetime.now(UTC)
    MessageRepository(acme).add_message(user, "s-1", "hello")
    acme.refresh(row)
    assert row.last_activity_at >= before


def test_a_refused_message_begins_nothing(acme: UnitOfWork) -> None:
    messages, user = MessageRepository(acme), user_of(acme)
    with pytest.raises(ValueError, match="confidence_score"):
        messages.add_message(user, "s-1", confidence_score=1.5)
    with pytest.raises(RowNotFound):
        messages.add_message(0, "s-1")
    assert ConversationRepository(acme).count() == 0
    messages.add_message(user, "s-1")
    other = Repository(acme, User).create(username="ada")
    with pytest.raises(ConflictError):
        messages.add_message(other.id, "s-1")
    assert messages.count() == 1


def test_recent_messages_come_newest_first(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            user = user_of(session, tenant)
            for number in range(4):
                MessageRepository(session).add_message(user, "s-1", f"{tenant} {number}")
            MessageRepository(session).add_message(user, "s-2", "elsewhere")
    with database.session(tenant="acme", read_only=True) as session:
        messages = MessageRepository(session)
        assert [row.user_message for row in messages.recent("s-1", 2)] == ["acme 3", "acme 2"]
        assert len(messages.recent("s-1")) == 4
        assert messages.recent("s-9") == []


@pytest.fixture
def talked(database: Database) -> Database:
    with database.session(tenant="acme") as session:
        messages, user = MessageRepository(session), user_of(session)
        other = Repository(session, User).create(username="ada").id
        for intent, confidence in (("b", 0.1), ("b", 0.2), ("a", None), ("B", 0.4), (None, None)):
            row = messages.add_message(
                user, "s-1", intent_detected=intent, confidence_score=confidence
            )
            messages.update(row, created_at=NOON)
        row = messages.add_message(other, "s-2", intent_detected="a", confidence_score=1)
        messages.update(row, created_at=NOON - timedelta(days=7, microseconds=1))
    with database.session(tenant="rival") as session:
        user = user_of(session, "rival")
        MessageRepository(session).add_message(user, "s-1", intent_detected="z")
    return database


def test_recent_asks_for_one_message_or_more(acme: UnitOfWork) -> None:
    with pytest.raises(ValueError, match="1 or more, not -1"):
        MessageRepository(acme).recent("s-1", limit=-1)


def test_messages_are_counted(talked: Database) -> None:
    with talked.session(tenant="acme", read_only=True) as session:
        messages = MessageRepository(session)
        a, b, c = IntentCount("a", 2), IntentCount("b", 2), IntentCount("B", 1)
        assert messages.get_statistics() == MessageStatistics(6, 2, 3, 0.425, (a, b, c))
        assert messages.get_statistics(top=1).top_intents == (a,)
        own = MessageStatistics(5, 1, 3, 0.233333, (b, c, IntentCount("a", 1)))
        assert messages.get_statistics(user_of(session)) == own
        assert messages.get_statistics(days=7, now=NOON) == own
        assert messages.get_statistics(user_of(session), 7, now=NOON + timedelta(days=8)) == NOTHING
        assert messages.get_statistics(0) == NOTHING
        with pytest.raises(ValueError, match="-1"):
            messages.get_statistics(days=-1)
    with Session(talked.engine()) as plain:
        everything = MessageRepository(plain).get_statistics()
        assert (everything.total_messages, everything.unique_intents) == (7, 4)
