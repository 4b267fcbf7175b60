"""What engine adapters take and return besides rows: options, lock holders, sizes, rules."""

from __future__ import annotations

from dataclasses import dataclass

ORIGINAL_STATEMENT = "qadb_original_statement"
"""Where a scratch place's connection keeps, in its ``info``, a statement that it ran otherwise."""


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How connections are made; the defaults are those of the settings.

    Attributes:
        application: name that the server shows for our sessions.
        echo: log every statement.
        slow_query_ms: log statements that take at least as long; None logs none.
        lock_wait_seconds: how long a file that somebody has locked is waited for; None: as long
            as usual. A server's locks are limited where they are asked for.
    """

    application: str = "qadb"
    pool_size: int = 10
    max_overflow: int = 20
    pool_recycle_seconds: int = 3600
    pool_timeout_seconds: float = 30.0
    echo: bool = False
    slow_query_ms: int | None = None
    lock_wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """On whose behalf a unit of work changes data; the audit log records it with every change.

    Attributes:
        user_id: the key of a row in ``users``.
        session_id: the application's own session, such as that of a web server.
    """

    user_id: int | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds a lock that we wait for.

    Attributes:
        description: for people, such as ``pid 4242 on ci-3, qadb migrate``.
        waited_seconds: how long we have waited so far.
    """

    description: str
    waited_seconds: float


@dataclass(frozen=True, slots=True)
class TableSize:
    """Rows and bytes of one table, its indexes included.

    Attributes:
        rows_are_exact: False where ``rows`` is the server's own estimate.
        size_bytes: None where the engine can't tell.
    """

    name: str
    rows: int
    rows_are_exact: bool
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """What the engine says about a row that it refused.

    Attributes:
        constraint: its name, where the engine tells.
        columns: the columns concerned, where the engine tells.
        values: what they hold as text, where the engine tells.
        is_foreign_key: a row refers to one that is not there, or is referred to.
    """

    table: str | None = None
    constraint: str | None = None
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    is_foreign_key: bool = False
