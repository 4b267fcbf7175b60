"""What a server tells of itself to whoever asks whether it is well.

Facts only: what is good and what is bad is decided in `qadb.health`. Where a role may not see
everything, a fact says so, with the statement that grants it: nothing hidden counts as good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from qadb.backends.base_health import FoundObject


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a role may not see.

    Attributes:
        count: of what there is and nothing is known of.
        grant: the statement that shows it.
    """

    count: int
    grant: str


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """How many connections there are, and how many ordinary roles may have."""

    used: int
    most: int


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody else's connection to the database.

    Attributes:
        who: the role, its program and from where.
        state: ``active``, ``idle``, ``idle in transaction``, …
        transaction_seconds: since its transaction began; None outside of one.
        statement_seconds: since its last statement began.
        idle_seconds: since it was last given one to do; None while it works.
        query: the last statement, without its values.
        blocks: whom it keeps waiting.
    """

    pid: int
    who: str
    state: str
    transaction_seconds: float | None
    statement_seconds: float | None
    idle_seconds: float | None
    query: str
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions that the role may see, those that last longest first."""

    seen: tuple[Session, ...]
    hidden: Hidden


@dataclass(frozen=True, slots=True)
class LockWait:
    """A session that waits for a lock.

    Attributes:
        wants: the lock, and on what.
        blocked_by: those that have it.
    """

    pid: int
    who: str
    wants: str
    seconds: float
    blocked_by: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransactionAge:
    """How far a database is from running out of transaction ids.

    Attributes:
        age: transactions (or members of row locks) since the oldest that is not frozen.
        freeze_max_age: where the server begins to freeze by itself.
        wraps_at: where it stops taking writes.
    """

    database: str
    age: int
    freeze_max_age: int
    wraps_at: int


@dataclass(frozen=True, slots=True)
class TableUpkeep:
    """What vacuuming has to do in a table.

    Attributes:
        name: as SQL spells it.
        known_rows: those that the catalog knew of when it was last analyzed; None before that.
        vacuum_from: dead rows from where on autovacuum sees to the table.
        is_automatic: autovacuum may see to the table.
        last_vacuum_seconds: since it was vacuumed; None if it never was, as far as is counted.
    """

    name: str
    size_bytes: int
    live_rows: int
    dead_rows: int
    known_rows: float | None
    vacuum_from: float
    is_automatic: bool
    last_vacuum_seconds: float | None


@dataclass(frozen=True, slots=True)
class SequenceUse:
    """How much of a sequence is used.

    Attributes:
        name: as SQL spells it.
        percent: of the numbers that it and its column have room for.
        left: how many are left.
        column: what it fills; None where nothing depends on it.
        remedy: the statement that makes room; None where the column has no larger type.
    """

    name: str
    percent: float
    left: int
    column: str | None
    remedy: str | None


@dataclass(frozen=True, slots=True)
class Sequences:
    """The sequences that the role may read, the fullest first."""

    seen: tuple[SequenceUse, ...]
    hidden: Hidden


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Where the database's pages were read from.

    Attributes:
        hits: found in the server's cache.
        reads: asked of the system.
        cache_pages: how many the cache holds.
        counted_seconds: for how long that was counted.
    """

    hits: int
    reads: int
    cache_pages: int
    counted_seconds: float


@dataclass(frozen=True, slots=True)
class Replica:
    """A server that follows another one.

    Attributes:
        name: who it is.
        state: ``streaming``, ``catchup``, …
        lag_bytes: what was written and not yet replayed there.
        lag_seconds: how long that took last; None where nobody measured it.
    """

    name: str
    state: str
    lag_bytes: int
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class Replication:
    """The followers of this server, or this server as one.

    Attributes:
        replicas: those furthest behind first.
        is_cut_off: this server is a replica, and nobody sends it the log.
    """

    replicas: tuple[Replica, ...]
    is_replica: bool
    is_cut_off: bool
    hidden: Hidden


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot: it keeps what its reader has not read yet.

    Attributes:
        wal_status: ``reserved``, ``extended``, ``unreserved`` or ``lost``.
        retained_bytes: of the log, for this slot.
    """

    name: str
    is_active: bool
    wal_status: str
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class ChecksumFailures:
    """Pages that were read and are not what was written, by database."""

    are_on: bool
    by_database: Mapping[str, int]


class ServerInspector(Protocol):
    """Facts that a server knows of itself; each raises what the server refuses."""

    def connection_use(self, connection: Connection) -> ConnectionUse:
        """How many connections there are."""
        ...

    def sessions(self, connection: Connection) -> Sessions:
        """The other sessions of the database."""
        ...

    def lock_waits(self, connection: Connection) -> tuple[LockWait, ...]:
        """Who waits for a lock in the database, the longest first."""
        ...

    def transaction_age(self, connection: Connection) -> TransactionAge:
        """The database that is nearest to running out of transaction ids."""
        ...

    def multixact_age(self, connection: Connection) -> TransactionAge:
        """The database that is nearest to running out of ids for shared row locks."""
        ...

    def upkeep(self, connection: Connection) -> tuple[TableUpkeep, ...]:
        """What vacuuming has to do, the largest table first."""
        ...

    def unlogged_tables(self, connection: Connection) -> tuple[FoundObject, ...]:
        """Tables that a crash empties."""
        ...

    def sequences(self, connection: Connection) -> Sequences:
        """How much of each sequence is used."""
        ...

    def settings(self, connection: Connection) -> Mapping[str, str]:
        """The settings that health asks about, by name, as the server spells them."""
        ...

    def cache_use(self, connection: Connection) -> CacheUse:
        """How often the database's pages were found in the cache."""
        ...

    def replication(self, connection: Connection) -> Replication:
        """How far the followers are behind, or this server is if it is one."""
        ...

    def slots(self, connection: Connection) -> tuple[Slot, ...]:
        """The replication slots, those that keep most first."""
        ...

    def checksum_failures(self, connection: Connection) -> ChecksumFailures:
        """Pages whose checksum was wrong, since that is counted."""
        ...

    def data_folders(self, connection: Connection) -> tuple[str, ...] | None:
        """Where the data is, on this machine; None where the server is on another one."""
        ...
