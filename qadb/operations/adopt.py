"""Take over a database that has qadb's tables but no history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.errors import UnmanagedDatabase
from qadb.operations.common import WAIT_LOCK_SECONDS, say_nothing, tell_about_waiting
from qadb.revisions.adoption import find_likeness, stamp
from qadb.revisions.state import read_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.backends.catalog import Difference
    from qadb.database import Database


@dataclass(frozen=True, slots=True)
class AdoptResult:
    """Whether the database was taken over.

    Attributes:
        adopted: it has a history now. False where it had one, or is like no revision.
        revision: the one that it stands at, or resembles most.
        differences: how it differs from that one; nothing was changed then.
        reference_rows: rows that were written because their tables were empty.
    """

    adopted: bool
    revision: str | None
    differences: tuple[Difference, ...] = ()
    reference_rows: int = 0


def adopt_database(
    database: Database,
    *,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    notify: Callable[[str], None] = say_nothing,
) -> AdoptResult:
    """Give the database the history that its tables have, where they are those of a revision.

    Its catalog is compared with what each revision makes; the newest that is the same is written
    down as applied. Nothing is written where none is.

    Raises:
        UnmanagedDatabase: it bears the mark of another application.
        NotComparable: the revisions can't be run anywhere to compare with.
        LockNotAvailable: another operation did not end in time.
    """
    state = read_state(database)
    if state.state != "unmanaged":  # no lock: there may be nothing yet to lock
        return AdoptResult(adopted=False, revision=state.revision)
    with database.exclusive(wait_seconds=wait_lock_seconds, on_wait=tell_about_waiting(notify)):
        state = read_state(database)
        if state.state != "unmanaged":
            return AdoptResult(adopted=False, revision=state.revision)
        _refuse_foreign(database)
        likeness = find_likeness(database)
        if likeness is None or likeness.drift.differences:
            differences = () if likeness is None else likeness.drift.differences
            revision = None if likeness is None else likeness.revision
            return AdoptResult(adopted=False, revision=revision, differences=differences)
        added = stamp(database, likeness)
    return AdoptResult(adopted=True, revision=likeness.revision, reference_rows=added)


def _refuse_foreign(database: Database) -> None:
    with database.connect(read_only=True) as connection:
        if database.backend.connector.is_marked_as_foreign(connection, database.schema):
            raise UnmanagedDatabase(
                f"{database.url.shown} bears the mark of another application.",
                hint="Name another database in QADB_DATABASE_URL.",
            )
