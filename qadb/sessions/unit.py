"""UnitOfWork: SQLAlchemy's session, with a tenant, an actor and a purpose.

Owns the transaction's beginning and end: what the database is told about it, and what is read of
every statement before it goes there. How statements and objects are kept to the tenant lies in
`qadb.sessions.tenancy`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from qadb.backends.failures import refused_write
from qadb.errors import TransactionConflict
from qadb.sessions import tenancy
from qadb.sessions.guard import StatementGuard, refusal
from qadb.sessions.tenant_tables import TenantCriteria, find_tenant_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine, Executable, MetaData
    from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter, ExecutionContext
    from sqlalchemy.orm import DeclarativeBase, ORMExecuteState, SessionTransaction
    from sqlalchemy.orm.session import _BindArguments

    from qadb.backends.base import Backend
    from qadb.backends.values import Actor

DEFAULT_TENANT = "default"

R = TypeVar("R")
S = TypeVar("S")


class UnitOfWork(Session):
    """A session for one tenant, or for all of them when ``tenant`` is None.

    In a tenant's session every query and change through the ORM is confined to the tenant, new rows
    are stamped with it, and TenantViolation is raised for what can't be confined. Objects stay
    readable after a commit.

    It guards against mistakes in queries, not against code that goes past it: whoever takes the
    engine (`get_bind`) or the driver's connection is kept by the database's own policies alone.

    Attributes:
        backend: the engine's adapter.
        tenant: the tenant's id; None in a session for all tenants.
        actor: who is named in the audit log.
        read_only: nothing can be written.
        commits_begun: how often COMMIT was sent.
        commits_done: how often the database confirmed it.
    """

    def __init__(
        self,
        engine: Engine,
        backend: Backend,
        metadata: MetaData,
        *,
        tenant: str | None,
        actor: Actor | None = None,
        read_only: bool = False,
    ) -> None:
        # Once closed it stays so: used again, it would hold a connection that nobody gives back.
        super().__init__(engine, expire_on_commit=False, close_resets_only=False)
        if tenant == "":
            raise ValueError("a tenant's id is needed, not an empty text")
        self.backend = backend
        self.tenant = tenant
        self.actor = actor
        self.read_only = read_only
        self.commits_begun = 0
        self.commits_done = 0
        self.tables = find_tenant_tables(metadata)
        self.criteria = None if tenant is None else TenantCriteria(self.tables, tenant)
        self._guard = None if tenant is None else StatementGuard(self.tables, tenant)
        self._flushes = 0
        self._unguarded = 0

    def open(self) -> None:
        """Connect and begin now, instead of at the first statement."""
        try:
            self.own_connection()
        except BaseException:
            self.rollback()
            raise

    def own_connection(self) -> Connection:
        """The transaction's connection, for code that confines itself to the tenant."""
        return super().connection()

    def connection(
        self,
        bind_arguments: _BindArguments | None = None,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Connection:
        """The transaction's connection; a tenant's session does not give it away.

        Raises:
            TenantViolation: what runs on it can't be confined.
        """
        if self.tenant is not None:
            raise refusal("what runs on its connection")
        return super().connection(bind_arguments, execution_options)

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """Let statements pass unread, for code that confines them by its own conditions.

        ORM queries are still confined. It exists for full text and the like, which no model shows.
        """
        self._unguarded += 1
        try:
            yield
        finally:
            self._unguarded -= 1

    def refuse_to_write(self) -> None:
        """Raise ReadOnlySession if the unit was opened for reading."""
        if self.read_only:
            raise refused_write()

    def flush(self, objects: Sequence[object] | None = None) -> None:
        """Write pending changes to the database; the transaction stays open.

        Raises:
            TransactionConflict: a row to be changed is not there any more.
        """
        self._flushes += 1
        try:
            super().flush(objects)
        except StaleDataError as error:
            raise TransactionConflict(
                "A row that was to be changed is gone: another transaction took it away.",
                hint="Nothing of this one was written. Do its work again.",
            ) from error
        finally:
            self._flushes -= 1

    def watch(self, connection: Connection) -> None:
        """State the context of a transaction that has begun, and read what it sends from now on."""
        self.backend.context.set_context(
            connection, tenant=self.tenant, actor=None if self.read_only else self.actor
        )
        event.listen(connection, "commit", self._before_commit)
        if self._guard is not None:
            event.listen(connection, "before_execute", self._before_execution, retval=True)
            event.listen(connection, "before_cursor_execute", self._before_statement)

    def _before_commit(self, connection: Connection) -> None:
        if self.actor is not None and not self.read_only:
            with self.unguarded():
                self.backend.context.clear_context(connection)
        self.commits_begun += 1

    def _before_execution(
        self, _connection: Connection, statement: object, rows: R, row: S, _options: object
    ) -> tuple[object, R, S]:
        return tenancy.confine_flush(self, statement) if self._flushes else statement, rows, row

    def _before_statement(
        self,
        _connection: Connection,
        _cursor: object,
        _statement: str,
        _parameters: object,
        context: ExecutionContext | None,
        _executemany: bool,
    ) -> None:
        if self._guard is not None and not self._unguarded:
            self._guard.check(context)


@event.listens_for(UnitOfWork, "after_begin")
def _after_begin(unit: UnitOfWork, transaction: SessionTransaction, connection: Connection) -> None:
    if not transaction.nested:
        unit.watch(connection)


@event.listens_for(UnitOfWork, "after_commit")
def _after_commit(unit: UnitOfWork) -> None:
    unit.commits_done = unit.commits_begun  # a savepoint's end comes here as well


@event.listens_for(UnitOfWork, "before_attach")
def _before_attach(unit: UnitOfWork, row: DeclarativeBase) -> None:
    tenancy.look_up(unit, row)


@event.listens_for(UnitOfWork, "before_flush")
def _before_flush(unit: UnitOfWork, _context: object, _instances: object) -> None:
    if unit.read_only and (
        unit.new or unit.deleted or any(unit.is_modified(row) for row in unit.dirty)
    ):
        unit.refuse_to_write()
    tenancy.stamp_objects(unit)


@event.listens_for(UnitOfWork, "do_orm_execute")
def _before_execute(state: ORMExecuteState) -> None:
    unit = state.session
    if isinstance(unit, UnitOfWork):
        changes = state.is_insert or state.is_update or state.is_delete
        if changes or _locks_rows(state.statement):
            unit.refuse_to_write()
        tenancy.confine_statement(unit, state)


def _locks_rows(statement: Executable) -> bool:
    """PostgreSQL takes a lock for a write; SQLite knows no FOR UPDATE and would pass over it."""
    return getattr(statement, "_for_update_arg", None) is not None
