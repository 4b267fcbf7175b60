"""What an engine adapter offers to whoever deletes many rows beside others who write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine, Select

    from qadb.backends.values import Actor

SpaceMethod = Literal["none", "incremental_vacuum", "vacuum"]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How large transactions are and how far apart.

    Attributes:
        first_rows: about how many rows the first one deletes.
        least_rows: about how many at least, where there are as many: its beginning and end have a
            cost of their own.
        most_rows: about how many at most.
        batch_seconds: how long one should last.
        rest: the pause after one, as a multiple of what it lasted.
        gathers: rows go together that lie on the same pages of an index, where deleting one
            changes its indexes at once.
        sessions: how many of them may go on at once, each on a connection of its own.
    """

    first_rows: int
    least_rows: int
    most_rows: int
    batch_seconds: float
    rest: float
    gathers: bool = False
    sessions: int = 1


@dataclass(frozen=True, slots=True)
class Space:
    """What became of the room that rows took.

    Attributes:
        method: how it was looked after.
        freed_bytes: what the system got back.
        reusable_bytes: what stays in the files for new rows; None where nobody can tell.
        is_complete: False where time ran out.
        explanation: why it is not more, as a sentence; None where there is nothing to explain.
    """

    method: SpaceMethod
    freed_bytes: int
    reusable_bytes: int | None = None
    is_complete: bool = True
    explanation: str | None = None


class Cleaner(Protocol):
    """Deletes beside writers, and gives space back."""

    def rhythm(self, *, is_fast: bool) -> Rhythm:
        """Polite to writers, or the fastest."""
        ...

    def connect(self, engine: Engine) -> AbstractContextManager[Connection]:
        """A connection for short transactions that may be lost with the power, never torn."""
        ...

    def limit_waiting(self, connection: Connection, seconds: float) -> None:
        """Let no transaction wait longer to begin, where waiting comes before its first word."""
        ...

    def takes_log_of(self, connection: Connection, table: str) -> bool:
        """Whether this role may take entries from the audit log, which is called ``table``."""
        ...

    def locking(self, query: Select[object]) -> Select[object] | None:
        """What locks a query's rows but those in use; None: a transaction has locked all."""
        ...

    def begin(
        self,
        connection: Connection,
        *,
        tenant: str | None,
        actor: Actor,
        lock_timeout_seconds: float,
        takes_log: bool,
    ) -> None:
        """Prepare the transaction that has just begun.

        Args:
            connection: in that transaction.
            tenant: the one that it is confined to; None for all.
            actor: who is named in the audit log.
            lock_timeout_seconds: how long a statement waits for somebody else's lock.
            takes_log: it deletes from the audit log.
        """
        ...

    def interrupt(self, connection: Connection) -> None:
        """End what the connection does just now, from another thread; it fails there."""
        ...

    def rest(self, connection: Connection, seconds: float) -> None:
        """Leave the database to others for so long, after a transaction, or a bit longer."""
        ...

    def reclaim(
        self,
        connection: Connection,
        tables: Sequence[str],
        *,
        is_fast: bool,
        time_left: Callable[[], float | None],
        notify: Callable[[str], None],
    ) -> Space:
        """Give back what rows deleted from these tables have left, as far as that is worth it.

        Args:
            connection: in no transaction.
            tables: those that rows were deleted from.
            is_fast: writers may be shut out meanwhile.
            time_left: seconds until it has to stop; None: as long as it takes.
            notify: told what somebody may want to know.
        """
        ...
