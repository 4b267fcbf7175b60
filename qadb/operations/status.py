"""Where a database stands. Reads only, and never creates what is absent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qadb.revisions.history import HistoryEntry, read_history
from qadb.revisions.state import DatabaseState, read_state_on, state_without_revision

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.revisions.drift import Drift
    from qadb.revisions.history import Operation


@dataclass(frozen=True, slots=True)
class StatusResult:
    """Everything ``status`` shows.

    Attributes:
        size_bytes: of the whole database; None where there is none.
        history: what was done, oldest first.
        last_backup: when the newest backup was made; None where none is known.
        last_cleanup: when cleanup last ran; None where it is not known.
        drift: how the schema differs from what its revisions make; None where nobody asked.
    """

    database: DatabaseState
    size_bytes: int | None
    history: tuple[HistoryEntry, ...]
    last_backup: datetime | None
    last_cleanup: datetime | None
    drift: Drift | None = None

    @property
    def is_current(self) -> bool:
        """Nothing to migrate and nothing in the way."""
        return self.database.state == "current"

    @property
    def is_well(self) -> bool:
        """Current, and without drift where that was asked for."""
        return self.is_current and (self.drift is None or self.drift.status == "none")


def read_status(
    database: Database, *, wait_seconds: float = 0.0, with_drift: bool = False
) -> StatusResult:
    """Read state, size and history.

    Args:
        database: what to look at.
        wait_seconds: how long to wait for a server that is starting up.
        with_drift: compare the schema with what its revisions make, too.

    Raises:
        DatabaseUnreachable: the server does not answer within ``wait_seconds`` and the retries.
        NotADatabase: the file is something else.
    """
    if wait_seconds:
        database.wait_until_reachable(wait_seconds)
    absent = StatusResult(state_without_revision(database, "absent"), None, (), None, None)
    result = database.read_if_present(lambda connection: _read(database, connection)) or absent
    if with_drift:
        result = replace(result, drift=_drift(database, result.database))
    return result


def _read(database: Database, connection: Connection) -> StatusResult:
    history = read_history(connection, database)
    return StatusResult(
        database=read_state_on(connection, database),
        size_bytes=database.backend.sizes.database_size(connection),
        history=history,
        last_backup=_newest(history, "backup"),
        last_cleanup=_newest(history, "cleanup"),
    )


def _drift(database: Database, state: DatabaseState) -> Drift:
    from qadb.revisions.drift import Drift, find_drift  # noqa: PLC0415 - loads Alembic

    if state.state not in {"current", "behind"}:
        return Drift("unknown", reason="It stands at no revision that this qadb knows.")
    return find_drift(database)


def _newest(history: tuple[HistoryEntry, ...], operation: Operation) -> datetime | None:
    return max((x.applied_at for x in history if x.operation == operation), default=None)
