"""Conversations of users with the bot: found or begun, and where in them they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from qadb.errors import ConflictError, RowNotFound
from qadb.models import Conversation, User
from qadb.repositories.generic.base import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping


class ConversationRepository(Repository[Conversation]):
    """Sessions of users with the bot."""

    model = Conversation

    def get_or_create(self, user_id: int, session_id: str) -> Conversation:
        """Return the user's conversation of this session, begun now if there is none.

        Two that ask at once get the same one.

        Raises:
            RowNotFound: there is no such user.
            ConflictError: the session is another user's.
        """
        owner = self._owner_of_user(user_id)
        row = self.get_by(tenant_id=owner, session_id=session_id)
        if row is None:
            values = {"tenant_id": owner, "session_id": session_id, "user_id": user_id}
            key = ("tenant_id", "session_id")
            row = self.upsert(values, key=key, changes=("session_id",))
        if row.user_id != user_id:
            raise ConflictError(
                f"The session {session_id!r} is another user's.",
                table=self._table_name,
                values={"session_id": session_id, "user_id": user_id},
            )
        return row

    def update_state(
        self,
        conversation_id: int,
        new_state: str | None,
        context_update: Mapping[str, object] | None = None,
    ) -> Conversation:
        """Record where a conversation is, and merge what is new into its context.

        The row is locked first, so of two updates at once none is lost.

        Args:
            conversation_id: which one.
            new_state: the state that it is in; None leaves it.
            context_update: keys to set, each with its whole value; None takes a key out.

        Raises:
            RowNotFound: there is no such conversation.
            ValueError: a value breaks a rule of the model.
        """
        row = self._lock_by(Conversation.id == conversation_id)
        if row is None:
            raise RowNotFound(f"There is no conversation {conversation_id!r}.")
        if new_state is not None:
            row.current_state = new_state
        if context_update:
            merged = {**row.context_data, **context_update}
            row.context_data = {key: value for key, value in merged.items() if value is not None}
        self.touch(row)
        return row

    def touch(self, row: Conversation) -> None:
        """Record that something happened in a conversation now; the time never goes back."""
        self.update(row, last_activity_at=max(row.last_activity_at, datetime.now(UTC)))

    def _owner_of_user(self, user_id: int) -> str:
        """A session for all tenants enters what is a user's where the user is."""
        query = select(User.tenant_id).where(User.id == user_id, User.deleted_at.is_(None))
        owner = self.session.scalars(query).one_or_none()
        if owner is None:
            raise RowNotFound(f"There is no user {user_id!r}.")
        return owner
