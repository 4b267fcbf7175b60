"""What every engine adapter offers: small protocols, each met by one module of the engine's folder.

Nobody above this floor asks which engine it talks to; it calls these instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import ColumnElement, Connection, Engine, Insert, Table
    from sqlalchemy.orm import DeclarativeBase

    from qadb.backends.catalog import Catalog
    from qadb.errors import QadbError
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How connections are made; the defaults are those of the settings.

    Attributes:
        application: name that the server shows for our sessions.
        echo: log every statement.
        slow_query_ms: log statements that take at least as long; None logs none.
    """

    application: str = "qadb"
    pool_size: int = 10
    max_overflow: int = 20
    pool_recycle_seconds: int = 3600
    pool_timeout_seconds: float = 30.0
    echo: bool = False
    slow_query_ms: int | None = None


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


class Connector(Protocol):
    """Makes engines and databases, and reads what marks a database as ours."""

    def open_engine(
        self, url: DatabaseUrl, options: ConnectionOptions, *, read_only: bool, pooled: bool
    ) -> Engine:
        """Make an engine that connects to an existing database and never creates one."""
        ...

    def database_exists(self, url: DatabaseUrl) -> bool:
        """Tell whether the database is there; raises DatabaseUnreachable when nobody knows."""
        ...

    def create_database(self, url: DatabaseUrl) -> bool:
        """Create what is missing (folders, file, server-side database); True when it did."""
        ...

    def list_tables(self, connection: Connection) -> frozenset[str]:
        """Names of tables and views that lie where ours would, those of extensions left out."""
        ...

    def is_marked_as_foreign(self, connection: Connection, schema: Schema) -> bool:
        """Tell whether the database carries the mark of another application."""
        ...

    def mark_as_own(self, connection: Connection, schema: Schema) -> None:
        """Leave the engine's own mark of a managed database, inside the caller's transaction."""
        ...

    def server_version(self, connection: Connection) -> str:
        """The engine's version, such as ``3.40.1`` or ``16.4``."""
        ...

    def user_name(self, connection: Connection) -> str:
        """Who works on this connection: the database role, or the system's user for a file."""
        ...

    def tidy(self, url: DatabaseUrl) -> None:
        """Remove what our read-only connections left beside the database."""
        ...


class Translator(Protocol):
    """Turns a driver's exception into one of ours.

    Attributes:
        driver_errors: the driver's own classes, for what is raised past SQLAlchemy.
    """

    driver_errors: tuple[type[Exception], ...]

    def translate(self, error: BaseException, url: DatabaseUrl) -> QadbError:
        """Return the QadbError for a driver's or SQLAlchemy's exception, secrets removed."""
        ...


class Locks(Protocol):
    """Locks that keep two operations apart and die with their owner."""

    def exclusive(
        self,
        url: DatabaseUrl,
        schema: Schema,
        options: ConnectionOptions,
        *,
        wait_seconds: float,
        on_wait: Callable[[LockHolder], None],
    ) -> AbstractContextManager[None]:
        """Hold the operations' lock; raises LockNotAvailable after ``wait_seconds``."""
        ...


class MigrationRules(Protocol):
    """How this engine runs revisions safely."""

    transaction_per_migration: bool

    def connect(
        self, engine: Engine, *, lock_timeout_seconds: float
    ) -> AbstractContextManager[Connection]:
        """Connect for running revisions; checks and commits at the end, rolls back on error."""
        ...


class BulkWriter(Protocol):
    """The engine's fastest way to write many rows in the caller's transaction."""

    def insert(
        self,
        connection: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> int:
        """Insert rows, given as values in the order of ``columns``; returns how many.

        The driver's exceptions, DatabaseFailure for a value that a column can't hold, and whatever
        ``rows`` itself raises come out; the caller's transaction is then fit for a rollback only.
        """
        ...

    def insert_missing(
        self,
        connection: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> None:
        """Insert the rows that break no unique key and pass over the others."""
        ...


class KeyFinder(Protocol):
    """Finds ids by natural keys, thousands at a time."""

    def find_ids(
        self,
        connection: Connection,
        table: Table,
        column: str,
        keys: Iterable[str],
        scope: ColumnElement[bool],
    ) -> dict[str, int]:
        """The ids of the rows in ``scope`` by their keys; a key without a row is left out.

        Keys are what ``column`` holds. It is unique within ``scope``, and an index serves both.
        """
        ...


class CatalogReader(Protocol):
    """Reads the whole live catalog as comparable text."""

    def read_catalog(self, connection: Connection, *, ignore_tables: frozenset[str]) -> Catalog:
        """Describe every object of the database but those of the tables named."""
        ...


class Sizes(Protocol):
    """Measures how much room the data takes."""

    def database_size(self, connection: Connection) -> int:
        """Bytes of the whole database."""
        ...

    def table_sizes(
        self, connection: Connection, tables: Sequence[str], *, exact: bool
    ) -> tuple[TableSize, ...]:
        """Rows and bytes of each table named, in the order given."""
        ...


class ContextSetter(Protocol):
    """Tells the database for whom a transaction works."""

    def set_context(
        self, connection: Connection, *, tenant: str | None, actor: Actor | None
    ) -> None:
        """State tenant (None: all of them) and actor for the transaction that has just begun."""
        ...

    def clear_context(self, connection: Connection) -> None:
        """Take back, right before COMMIT, what would outlive the transaction."""
        ...

    def allows_bulk(self, connection: Connection, table: Table) -> bool:
        """Tell whether the bulk path may write to the table on behalf of this role."""
        ...


class UpsertMaker(Protocol):
    """Makes INSERT statements that know what to do about a row that is there already."""

    def insert_or_update(
        self,
        model: type[DeclarativeBase],
        values: Mapping[str, object],
        *,
        key: Sequence[str],
        predicate: ColumnElement[bool] | None,
        changes: Sequence[str],
    ) -> Insert:
        """Insert the values, or change the row with the same key to them.

        Args:
            model: where the row goes; the statement stays the ORM's.
            values: the row.
            key: the columns of a unique key.
            predicate: the condition of that key when it holds for some rows only.
            changes: the columns that a row found takes over; at least one.
        """
        ...


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


class ConflictReader(Protocol):
    """Reads which rule a refused row breaks."""

    def read_conflict(self, error: BaseException) -> BrokenRule:
        """Return what the driver's exception for a broken constraint tells."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """One engine's adapter: its name and the modules that meet each protocol."""

    name: str
    connector: Connector
    translator: Translator
    locks: Locks
    migrations: MigrationRules
    bulk: BulkWriter
    keys: KeyFinder
    catalog: CatalogReader
    sizes: Sizes
    context: ContextSetter
    upserts: UpsertMaker
    conflicts: ConflictReader
