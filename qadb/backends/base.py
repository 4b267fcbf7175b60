"""What every engine adapter offers: small protocols, each met by one module of the engine's folder.

Nobody above this floor asks which engine it talks to; it calls these instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from qadb.backends.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager

    from sqlalchemy import ColumnElement, Connection, Engine, Insert, Select, Table
    from sqlalchemy.orm import DeclarativeBase

    from qadb.backends.base_backups import Dumper, Restorer
    from qadb.backends.base_cleanup import Cleaner
    from qadb.backends.base_file_health import FileInspector
    from qadb.backends.base_health import Inspector, PageInspector, SchemaInspector
    from qadb.backends.base_migrations import MigrationRules, Scratch, StatementReader
    from qadb.backends.base_server_health import ServerInspector
    from qadb.backends.base_transfers import RowTaker
    from qadb.backends.catalog import Catalog
    from qadb.backends.values import Actor, BrokenRule, ConnectionOptions, LockHolder, TableSize
    from qadb.errors import QadbError
    from qadb.schema import Schema
    from qadb.settings import DatabaseUrl

M = TypeVar("M")


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

    def count_rows(self, connection: Connection) -> dict[str, int]:
        """Count every table of the database, by name; an error rather than fewer than all rows."""
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


class UpsertMaker(Protocol):
    """Makes INSERT statements that know what to do about a row that is there already."""

    def insert_or_update(
        self,
        model: type[DeclarativeBase],
        values: Mapping[str, object] | Sequence[Mapping[str, object]],
        *,
        key: Sequence[str],
        predicate: ColumnElement[bool] | None,
        changes: Sequence[str],
    ) -> Insert:
        """Insert the values, or change the row with the same key to them.

        Args:
            model: where the row goes; the statement stays the ORM's.
            values: the row, or several of the same columns.
            key: the columns of a unique key.
            predicate: the condition of that key when it holds for some rows only.
            changes: the columns that a row found takes over; at least one.
        """
        ...


class ConflictReader(Protocol):
    """Reads which rule a refused row breaks."""

    def read_conflict(self, error: BaseException) -> BrokenRule:
        """Return what the driver's exception for a broken constraint tells."""
        ...


class Seeding(Protocol):
    """What filling an empty database takes beside writing rows."""

    def exclude_writers(self, connection: Connection, table: Table, *, wait_seconds: float) -> None:
        """Keep others from writing rows that refer to the table until the transaction ends.

        What they have written before is there to see afterwards. A lock that can't be had in time
        fails as the engine's locks do.
        """
        ...

    def reserve_ids(self, connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
        """Keep others from drawing ids of the tables until the transaction ends.

        Returns the highest id of each table that may be in use by now, by the table's name: rows
        may be given those above.
        """
        ...

    def continue_ids(self, connection: Connection, highest: Mapping[Table, int]) -> None:
        """Let the ids that the database chooses follow the highest that rows were given."""
        ...

    def learn_statistics(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Let the planner know at once what the tables hold by now, where it goes by that.

        A table that somebody keeps is left out.
        """
        ...


class TextSearch(Protocol):
    """Finds rows by their words, with the engine's own full text."""

    def matching(
        self, query: Select[M], table: Table, words: Sequence[str], *, last_is_prefix: bool
    ) -> Select[M]:
        """Keep the rows of a query that have every word, the best match first.

        What the statement then mentions is no model's, so sessions have to let it pass.

        Args:
            query: reads the table.
            table: one that has an index of its words.
            words: one or more, of letters as the index holds them: nothing else is escaped.
            last_is_prefix: the last one stands for all that begin with it.
        """
        ...


class Backend:
    """One engine's adapter: its name and the modules that meet each protocol.

    Args:
        name: the engine's, and that of its package here.
        missing: the parts that it has not: ``row_taker`` where the engine takes over no other's
            rows, ``server`` where it is none, ``file`` where a database is none, ``pages`` where
            nobody but the server sees the database's pages. They are None.
    """

    connector: Part[Connector] = Part("connector")
    translator: Part[Translator] = Part("errors")
    locks: Part[Locks] = Part("locks")
    migrations: Part[MigrationRules] = Part("migrations")
    bulk: Part[BulkWriter] = Part("bulk")
    keys: Part[KeyFinder] = Part("keys")
    catalog: Part[CatalogReader] = Part("catalog")
    sizes: Part[Sizes] = Part("sizes")
    context: Part[ContextSetter] = Part("context")
    upserts: Part[UpsertMaker] = Part("upserts")
    conflicts: Part[ConflictReader] = Part("conflicts")
    scratch: Part[Scratch] = Part("scratch")
    seeding: Part[Seeding] = Part("seeding")
    statements: Part[StatementReader] = Part("statements")
    dumper: Part[Dumper] = Part("dumper")
    restorer: Part[Restorer] = Part("restorer")
    text_search: Part[TextSearch] = Part("text_search")
    inspector: Part[Inspector] = Part("inspecting")
    schema: Part[SchemaInspector] = Part("schema_facts")
    cleaner: Part[Cleaner] = Part("cleaner")
    row_taker: Part[RowTaker | None] = Part("taking_over")
    server: Part[ServerInspector | None] = Part("server_facts")
    file: Part[FileInspector | None] = Part("file_facts")
    pages: Part[PageInspector | None] = Part("page_facts")

    def __init__(self, name: str, *, missing: AbstractSet[str] = frozenset()) -> None:
        self.name = name
        self.missing = missing
