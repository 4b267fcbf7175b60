"""Conversations are found or begun, and keep their state among many writers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from qadb.errors import ConflictError, RowNotFound
from qadb.models import User
from qadb.repositories.assistant.conversations import ConversationRepository
from qadb.repositories.generic.base import Repository

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

WRITERS = 4


def user_of(session: Session, tenant: str = "acme") -> int:
    return session.scalars(select(User.id).where(User.username == f"{tenant}-user")).one()


def test_a_conversation_begins_once(acme: UnitOfWork) -> None:
    conversations = ConversationRepository(acme)
    user = user_of(acme)
    begun = conversations.get_or_create(user, "s-1")
    assert (begun.user_id, begun.session_id, begun.tenant_id) == (user, "s-1", "acme")
    assert (begun.current_state, begun.context_data) == (None, {})
    assert conversations.get_or_create(user, "s-1") is begun
    assert conversations.get_or_create(user, "s-2") is not begun
    assert conversations.count() == 2


def test_a_session_of_another_user_is_refused(acme: UnitOfWork) -> None:
    conversations = ConversationRepository(acme)
    other = Repository(acme, User).create(username="ada")
    conversations.get_or_create(user_of(acme), "s-1")
    with pytest.raises(ConflictError, match="'s-1' is another user's") as raised:
        conversations.get_or_create(other.id, "s-1")
    assert raised.value.values == {"session_id": "s-1", "user_id": other.id}


def test_only_users_that_are_there_have_conversations(database: Database) -> None:
    with database.session(tenant="rival") as session:
        rivals = user_of(session, "rival")
    with database.session(tenant="acme") as session:
        conversations = ConversationRepository(session)
        gone = Repository(session, User).create(username="gone")
        Repository(session, User).delete(gone)
        for user in (0, rivals, gone.id):
            with pytest.raises(RowNotFound, match=f"no user {user}"):
                conversations.get_or_create(user, "s-1")
        assert conversations.count() == 0


def test_tenants_may_have_the_same_session(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            ConversationRepository(session).get_or_create(user_of(session, tenant), "s-1")
    with database.session(tenant="acme") as session:
        assert ConversationRepository(session).count() == 1
    with database.session(all_tenants=True) as session:
        found = ConversationRepository(session).get_or_create(user_of(session, "rival"), "s-1")
        new = ConversationRepository(session).get_or_create(user_of(session, "rival"), "s-2")
        assert (found.tenant_id, new.tenant_id) == ("rival", "rival")
    with Session(database.engine()) as plain:
        again = ConversationRepository(plain).get_or_create(user_of(plain, "rival"), "s-2")
        assert again.id == new.id


def test_two_at_once_get_the_same_conversation(database: Database) -> None:
    at_once = Barrier(WRITERS)

    def begin(_: int) -> int:
        at_once.wait()
        with database.session(tenant="acme") as session:
            return ConversationRepository(session).get_or_create(user_of(session), "s-1").id

    with ThreadPoolExecutor(WRITERS) as pool:
        assert len(set(pool.map(begin, range(WRITERS)))) == 1


def test_state_changes_and_context_is_merged(acme: UnitOfWork) -> None:
    conversations = ConversationRepository(acme)
    row = conversations.get_or_create(user_of(acme), "s-1")
    conversations.update_state(row.id, "asked", {"a": 1, "b": {"x": 1, "y": 2}, "c": 3})
    conversations.update_state(row.id, "answered", {"b": {"x": 9}, "c": None, "d": None})
    acme.expire_all()
    assert row.current_state == "answered"
    assert row.context_data == {"a": 1, "b": {"x": 9}}
    conversations.update_state(row.id, None)
    acme.expire_all()
    assert (row.current_state, row.context_data) == ("answered", {"a": 1, "b": {"x": 9}})


def test_activity_is_noted_and_never_goes_back(acme: UnitOfWork) -> None:
    conversations = ConversationRepository(acme)
    row = conversations.get_or_create(user_of(acme), "s-1")
    before = datetime.now(UTC)
    assert conversations.update_state(row.id, "asked").last_activity_at >= before
    ahead = before + timedelta(days=1)
    conversations.update(row, last_activity_at=ahead)
    assert conversations.update_state(row.id, "answered").last_activity_at == ahead


def test_a_state_without_a_conversation_is_refused(database: Database) -> None:
    with database.session(tenant="rival") as session:
        row = ConversationRepository(session).get_or_create(user_of(session, "rival"), "s-1")
    with database.session(tenant="acme") as session:
        for key in (row.id, 0):
            with pytest.raises(RowNotFound, match=f"no conversation {key}"):
                ConversationRepository(session).update_state(key, "mine", {"a": 1})
        begun = ConversationRepository(session).get_or_create(user_of(session), "s-1")
        with pytest.raises(ValueError, match="current_state"):
            ConversationRepository(session).update_state(begun.id, "x" * 101)


def test_updates_at_once_all_survive(database: Database) -> None:
    with database.session(tenant="acme") as session:
        key = ConversationRepository(session).get_or_create(user_of(session), "s-1").id
    at_once = Barrier(WRITERS)

    def update(number: int) -> None:
        with database.session(tenant="acme", read_only=False) as session:
            conversations = ConversationRepository(session)
            if number == 0:
                conversations.get(key)  # what was loaded before the lock is out of date
            conversations.update_state(key, f"state {number}", {f"key {number}": number})

    def many(number: int) -> None:
        at_once.wait()
        for each in range(5):
            update(number * 5 + each)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(many, range(WRITERS)))
    with database.session(tenant="acme") as session:
        row = ConversationRepository(session).get(key)
        assert row is not None
        assert row.context_data == {f"key {n}": n for n in range(WRITERS * 5)}
