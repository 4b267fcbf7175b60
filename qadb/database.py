"""Database: a URL, a Schema and a backend joined; transactions, sessions and retries.

This is the way in for Python code. Which statements run is not decided here.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Self, TypeVar

from qadb.backends.registry import load_backend
from qadb.backends.values import Actor, ConnectionOptions
from qadb.engines import Engines
from qadb.errors import ConflictError, DatabaseUnreachable
from qadb.retries import connect_again, wait_for
from qadb.schema import load_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine

    from qadb.backends.base import Backend
    from qadb.backends.values import LockHolder
    from qadb.errors import QadbError
    from qadb.schema import Schema
    from qadb.sessions.unit import UnitOfWork
    from qadb.settings import DatabaseUrl, Settings

__all__ = ["Actor", "Database"]

T = TypeVar("T")


class Database:
    """One database that qadb works on.

    Engines are made when they are first needed. Every driver exception that leaves a ``with`` block
    of this class is a :class:`qadb.errors.QadbError` without secrets.

    Args:
        url: where it is.
        schema: what it should hold; the built-in one by default.
        options: how to connect.
        connect_retries: how often a failed connection is tried again, with growing pauses.
        replica_url: where read-only sessions go instead, and nowhere else when it is down.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        schema: Schema | None = None,
        *,
        options: ConnectionOptions | None = None,
        connect_retries: int = 5,
        replica_url: DatabaseUrl | None = None,
    ) -> None:
        self.url = url
        self.replica_url = replica_url
        self.schema = schema or load_schema()
        self.options = options or ConnectionOptions()
        self.connect_retries = connect_retries
        self.backend: Backend = load_backend(url.engine)
        self.server_version: str | None = None
        self._engines = Engines(self.backend.connector, url, self.options)
        self._replica: Database | None = None

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        application: str = "qadb",
        lock_wait_seconds: float | None = None,
    ) -> Self:
        """Make the database that the settings name.

        Args:
            settings: say where it is and how to connect.
            application: is shown by the server.
            lock_wait_seconds: how long a file that somebody has locked is waited for.
        """
        return cls(
            settings.database_url,
            options=ConnectionOptions(
                application=application,
                pool_size=settings.pool_size,
                max_overflow=settings.max_overflow,
                pool_recycle_seconds=settings.pool_recycle_seconds,
                pool_timeout_seconds=settings.pool_timeout_seconds,
                echo=settings.echo,
                slow_query_ms=settings.slow_query_ms,
                lock_wait_seconds=lock_wait_seconds,
            ),
            connect_retries=settings.connect_retries,
            replica_url=settings.replica_url,
        )

    def __enter__(self) -> Self:
        """Use the database in a ``with`` block that closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self.close()

    def close(self) -> None:
        """Close every connection; the object can be used again afterwards."""
        self._engines.close()
        if self._replica is not None:
            self._replica.close()

    def engine(self, *, read_only: bool = False) -> Engine:
        """The pooled SQLAlchemy engine, for code that wants to go its own way."""
        return self._engines.get(read_only=read_only)

    @contextmanager
    def connect(
        self, *, read_only: bool = False, retries: int | None = None
    ) -> Iterator[Connection]:
        """One connection in one transaction: commits on success, rolls back on error.

        Args:
            read_only: refuse changes.
            retries: how often a failed connection is tried again, in place of what is set.

        Raises:
            DatabaseUnreachable: no connection, after retries.
            QadbError: whatever the engine refuses.
        """
        with (
            self.translated(),
            self._connected(self.engine(read_only=read_only), retries) as connection,
            connection.begin(),
        ):
            self.learn_server_version(connection)
            yield connection

    def learn_server_version(self, connection: Connection) -> None:
        """Ask the server for its version, for ``server_version``, unless it is known."""
        if self.server_version is None:
            self.server_version = self.backend.connector.server_version(connection)

    @contextmanager
    def migrating(
        self, *, lock_timeout_seconds: float, on_blocked: Callable[[str], None] = lambda _: None
    ) -> Iterator[Connection]:
        """A connection of its own for running revisions, by the engine's rules.

        Args:
            lock_timeout_seconds: how long a statement waits for a table that somebody uses.
            on_blocked: told who that is while it waits, where the engine knows.
        """
        rules = self.backend.migrations
        with (
            self._engines.alone() as engine,
            self.translated(),
            rules.connect(
                engine, lock_timeout_seconds=lock_timeout_seconds, on_blocked=on_blocked
            ) as connection,
        ):
            yield connection

    @contextmanager
    def cleaning(self) -> Iterator[Callable[[], Connection]]:
        """What opens a connection for many short transactions that delete, by the engine's rules.

        They close with the block. What is raised on one is the driver's: each transaction has its
        own `translated` block.
        """
        with self._engines.alone() as engine, ExitStack() as stack:

            def connect() -> Connection:
                with self.translated():
                    return stack.enter_context(self.backend.cleaner.connect(engine))

            yield connect

    @contextmanager
    def exclusive(
        self, *, wait_seconds: float, on_wait: Callable[[LockHolder], None]
    ) -> Iterator[None]:
        """Keep other operations out; raises LockNotAvailable after ``wait_seconds``."""
        with self.backend.locks.exclusive(
            self.url, self.schema, self.options, wait_seconds=wait_seconds, on_wait=on_wait
        ):
            yield

    def exists(self) -> bool:
        """Tell whether the database is there; retries while the server can't be reached."""
        return connect_again(self._is_there, retries=self.connect_retries)

    def read_if_present(self, read: Callable[[Connection], T]) -> T | None:
        """Read on one connection; None where there is no database, which is asked only then.

        Raises:
            DatabaseUnreachable: no connection, after retries.
        """
        try:
            with self.connect(read_only=True) as connection:
                return read(connection)
        except DatabaseUnreachable:
            if self._is_there():  # once: the retries have been
                raise
            return None

    def _is_there(self) -> bool:
        return self.backend.connector.database_exists(self.url)

    def create(self) -> bool:
        """Create the database where it is missing; True when it was made now."""
        return connect_again(
            lambda: self.backend.connector.create_database(self.url), retries=self.connect_retries
        )

    def wait_until_reachable(self, seconds: float) -> None:
        """Wait for a server that is starting up; raises DatabaseUnreachable when time is out."""
        wait_for(lambda: self.backend.connector.database_exists(self.url), seconds=seconds)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn exceptions of the driver, and of SQLAlchemy on its behalf, into ours."""
        from sqlalchemy import exc  # noqa: PLC0415 - not before a database is opened

        translator = self.backend.translator
        known: tuple[type[Exception], ...] = (exc.StatementError, exc.TimeoutError)
        try:
            yield
        except known + translator.driver_errors as error:
            raise self._explained(error, translator.translate(error, self.url)) from error

    def _explained(self, error: Exception, translated: QadbError) -> QadbError:
        """Name what a row breaks, which the engine alone can't always tell."""
        if not isinstance(translated, ConflictError):
            return translated
        from qadb.sessions.conflicts import conflict_of_statement  # noqa: PLC0415 - loads SQLAlchemy

        return conflict_of_statement(error, self.backend, self.schema.metadata) or translated

    @contextmanager
    def session(
        self,
        *,
        tenant: str | None = None,
        all_tenants: bool = False,
        actor: Actor | None = None,
        read_only: bool = False,
    ) -> Iterator[UnitOfWork]:
        """A unit of work: commits on success, rolls back on error.

        Args:
            tenant: the tenant that it sees and changes; the one called ``default`` if none is
                named. What can't be confined to it raises TenantViolation.
            all_tenants: work for all of them; rows without a tenant of their own then go to
                ``default``.
            actor: who is named in the audit log.
            read_only: refuse changes, and read from the replica where there is one.

        Raises:
            DatabaseUnreachable: no connection, after retries.
            QadbError: whatever the engine refuses.
        """
        with self._unit(tenant, actor, all_tenants=all_tenants, read_only=read_only) as unit:
            yield unit
            unit.commit()

    def run(
        self,
        work: Callable[[UnitOfWork], T],
        *,
        attempts: int = 3,
        idempotent: bool = False,
        tenant: str | None = None,
        all_tenants: bool = False,
        actor: Actor | None = None,
        read_only: bool = False,
    ) -> T:
        """Do the work in a session of its own and commit; again from the start when it was in vain.

        A lost connection and a conflict with another transaction are tried again, with growing
        pauses. Once a COMMIT was sent nobody can tell what a lost connection left behind, so that
        is raised instead.

        Args:
            work: gets a fresh session each time; what it does besides must bear repetition.
            attempts: how often it is tried, the first time included.
            idempotent: the work may be done twice, so a COMMIT of unknown fate is tried again too.
            tenant: as in `session`.
            all_tenants: as there.
            actor: as there.
            read_only: as there.
        """
        from qadb.sessions.retries import run_again  # noqa: PLC0415 - loads SQLAlchemy

        def open_unit() -> AbstractContextManager[UnitOfWork]:
            return self._unit(tenant, actor, all_tenants=all_tenants, read_only=read_only)

        return run_again(
            open_unit,
            self.translated,
            work,
            attempts=attempts,
            idempotent=idempotent,
        )

    @contextmanager
    def _unit(
        self, tenant: str | None, actor: Actor | None, *, all_tenants: bool, read_only: bool
    ) -> Iterator[UnitOfWork]:
        from qadb.sessions.unit import DEFAULT_TENANT, UnitOfWork  # noqa: PLC0415 - half of the start-up time

        if all_tenants and tenant is not None:
            raise ValueError("a session is for one tenant or for all of them")
        source = self._reader() if read_only else self
        with (
            source.translated(),
            UnitOfWork(
                source.engine(read_only=read_only),
                source.backend,
                source.schema.metadata,
                tenant=None if all_tenants else (DEFAULT_TENANT if tenant is None else tenant),
                actor=actor,
                read_only=read_only,
            ) as unit,
        ):

            def connect() -> None:
                with source.translated():
                    unit.open()

            connect_again(connect, retries=source.connect_retries)
            yield unit

    def _reader(self) -> Database:
        """Where read-only sessions go: the replica, or here when there is none."""
        if self.replica_url is None:
            return self
        if self._replica is None:
            self._replica = Database(
                self.replica_url,
                self.schema,
                options=self.options,
                connect_retries=self.connect_retries,
            )
        return self._replica

    @contextmanager
    def _connected(self, engine: Engine, retries: int | None) -> Iterator[Connection]:
        def connect() -> Connection:
            with self.translated():
                return engine.connect()

        again = self.connect_retries if retries is None else retries
        connection = connect_again(connect, retries=again)
        try:
            yield connection
        finally:
            connection.close()
