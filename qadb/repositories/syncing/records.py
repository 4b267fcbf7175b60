"""Records of syncs, those that failed included.

Owns the rows of `sync_events`. A sync works in a savepoint, so that its failure undoes it alone.
The record of a failure goes into the caller's transaction: who catches the error and commits has
it there. When that transaction is rolled back instead, by the same error as a rule, the record is
written right afterwards in a transaction of its own; before that the caller's locks would be in
its way.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from sqlalchemy import event, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from qadb.errors import QadbError, ReadOnlySession
from qadb.models import Base, SyncEvent
from qadb.repositories.generic.owners import owner_of
from qadb.sessions.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine
    from sqlalchemy.orm import SessionTransaction

logger = logging.getLogger(__name__)

DEFAULT_SOURCE = "api"
LONGEST_ERROR = 2000
_FAILED_SYNCS = "qadb.failed_syncs"


@dataclass(slots=True)
class SyncRun:
    """A sync that is under way.

    Attributes:
        tenant_id: whose rows it changes; the session's until the product is found.
    """

    entity: str
    source: str
    cursor: str | None
    started_at: datetime
    tenant_id: str


@dataclass(frozen=True, slots=True)
class SyncCounts:
    """How many rows a sync changed."""

    rows_created: int
    rows_updated: int
    rows_deleted: int


def record_sync(
    session: Session,
    work: Callable[[SyncRun], SyncCounts],
    *,
    entity: str,
    source: str,
    cursor: str | None,
) -> SyncEvent:
    """Do the work in a savepoint and return its record; whatever it raises comes out.

    Raises:
        ReadOnlySession: nothing can be synced here, nor recorded.
        ValueError: the source's name is too long.
    """
    if isinstance(session, UnitOfWork) and session.read_only:
        raise ReadOnlySession(
            "This session was opened for reading.", hint="Open it without read_only=True to sync."
        )
    SyncEvent(source=source, entity=entity)  # raises for what could not be recorded
    run = SyncRun(entity, source, cursor, datetime.now(UTC), owner_of(session))
    try:
        with session.begin_nested():
            counts = work(run)
            record = SyncEvent(**_values(run), status="completed", **asdict(counts))
            session.add(record)
            session.flush()
    except BaseException as error:
        _failed_syncs(session).add(
            session, {**_values(run), "status": "failed", "error": _told(error)}
        )
        raise
    return record


def _values(run: SyncRun) -> dict[str, object]:
    return {**asdict(run), "completed_at": max(run.started_at, datetime.now(UTC))}


def _told(error: BaseException) -> str:
    """What went wrong as text that every database takes; a driver's statement is left out."""
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip() or type(cause).__name__
    stored = text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    return stored[:LONGEST_ERROR]


def _failed_syncs(session: Session) -> _FailedSyncs:
    if _FAILED_SYNCS not in session.info:
        session.info[_FAILED_SYNCS] = _FailedSyncs(session)
    return cast("_FailedSyncs", session.info[_FAILED_SYNCS])


@dataclass(slots=True)
class _Failure:
    values: dict[str, object]
    row: SyncEvent


class _FailedSyncs:
    """Those of a session's present transaction, seen through to their record."""

    def __init__(self, session: Session) -> None:
        self._failures: list[_Failure] = []
        event.listen(session, "after_soft_rollback", self._after_rollback)
        event.listen(session, "after_commit", self._after_commit)
        event.listen(session, "after_transaction_end", self._after_end)

    def add(self, session: Session, values: dict[str, object]) -> None:
        """Write the record in the session, unless its transaction is past that already."""
        failure = _Failure(values, SyncEvent(**values))
        with suppress(SQLAlchemyError, QadbError), session.begin_nested():
            session.add(failure.row)
        self._failures.append(failure)

    def _after_rollback(self, session: Session, transaction: SessionTransaction) -> None:
        """A savepoint of the caller's took records along: they go into what is left."""
        if not (transaction.nested and session.in_transaction() and session.is_active):
            return
        for failure in self._failures:
            if inspect(failure.row).transient:
                failure.row = SyncEvent(**failure.values)
                session.add(failure.row)

    def _after_commit(self, session: Session) -> None:
        if not session.in_nested_transaction():  # a savepoint's end comes here as well
            self._failures = [one for one in self._failures if inspect(one.row).transient]

    def _after_end(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is not None:
            return
        failures, self._failures = self._failures, []
        for failure in failures:
            _write_apart(session, failure.values)


def _write_apart(session: Session, values: dict[str, object]) -> None:
    """Write a record in a session like the given one, whose transaction is over.

    Nothing is raised: it would hide the error that the record is about.
    """
    try:
        with _session_like(session) as apart:
            apart.add(SyncEvent(**values))
            apart.commit()
    except (SQLAlchemyError, QadbError) as error:
        logger.warning(
            "A failed sync of %s is not recorded: %s", values["entity"], type(error).__name__
        )


def _session_like(session: Session) -> Session:
    bind = session.get_bind(SyncEvent)
    if not isinstance(session, UnitOfWork):
        return Session(bind)
    return UnitOfWork(
        cast("Engine", bind),
        session.backend,
        Base.metadata,
        tenant=session.tenant,
        actor=session.actor,
    )
