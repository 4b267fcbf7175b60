"""Notes of users, found by tags and by words."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

from qadb.models import Note
from qadb.models.functions import HoldsAll, HoldsAny
from qadb.models.letters import words_of
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.limits import require_limit
from qadb.repositories.generic.reading import PAGE_ROWS
from qadb.repositories.generic.tables import table_of
from qadb.sessions.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement

    from qadb.models.types import TextList


class NoteRepository(Repository[Note]):
    """Notes that users keep, found by tags and by words."""

    model = Note

    def get_by_tags(
        self, user_id: int, tags: Iterable[str], *, match_all: bool = False
    ) -> Sequence[Note]:
        """Return a user's notes with these tags, the pinned ones first, then the newest.

        Args:
            user_id: whose notes.
            tags: compared as they are, letter by letter; without any nothing is found.
            match_all: all of the tags must be there, not just one.

        Raises:
            ValueError: a single text instead of a list of them.
        """
        if isinstance(tags, str):
            raise ValueError(f"a list of tags is needed, not the text {tags!r}")  # noqa: TRY004 - one exception for every bad value
        wanted = list(tags)
        if not wanted:
            return []
        holds = HoldsAll if match_all else HoldsAny
        column = cast("ColumnElement[TextList | None]", Note.tags)
        query = self.query(holds(column, wanted), user_id=user_id)
        return self.session.scalars(query.order_by(Note.is_pinned.desc(), Note.id.desc())).all()

    def search(
        self, user_id: int, words: str, *, limit: int = PAGE_ROWS, prefix: bool = False
    ) -> Sequence[Note]:
        """Return a user's notes that have all the words, the best match first, ties by id.

        A word in the title weighs more than one in the content; how much else counts is up to the
        engine. Words are letters and digits, whatever their case and, in Latin script, their
        accents; what stands between them only parts them. Without words nothing is found.

        Args:
            user_id: whose notes.
            words: as a person types them; nothing in it is an operator.
            limit: return at most as many.
            prefix: the last word may be the beginning of one.

        Raises:
            ValueError: a limit below 1.
        """
        require_limit(limit)
        found = words_of(words)
        if not found:
            return []
        query = self.backend.text_search.matching(
            self.query(user_id=user_id), table_of(Note), found, last_is_prefix=prefix
        )
        unit = self.session if isinstance(self.session, UnitOfWork) else None
        if unit is not None and unit.tenant is not None:
            query = query.where(Note.tenant_id == unit.tenant)
        self.session.flush()  # what is pending is not to pass unread
        with nullcontext() if unit is None else unit.unguarded():
            return self.session.scalars(query.order_by(Note.id).limit(limit)).all()
