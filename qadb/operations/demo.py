"""Fill a database with the demo, unless it holds anything else.

Owns when that may happen and that it happens whole or not at all. What the demo consists of lies
in `qadb.demo`.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qadb.backends.values import Actor
from qadb.demo.companies import COMPANIES
from qadb.demo.place import find_demo
from qadb.demo.plan import DEFAULT_SCALE, DEFAULT_SEED, DemoPlan
from qadb.demo.syncs import DEMO_SOURCE
from qadb.demo.writer import write_demo
from qadb.errors import DataPresent, InsufficientPrivilege, LockNotAvailable
from qadb.models import Tenant
from qadb.operations.common import WAIT_LOCK_SECONDS, say_nothing, tell_about_waiting
from qadb.operations.init import InitResult, init_database
from qadb.progress import ProgressEvent, no_progress
from qadb.repositories.generic.occupied import tables_in_use
from qadb.repositories.generic.tables import table_of
from qadb.revisions.state import read_state_on, require_current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.demo.place import FoundDemo
    from qadb.progress import Progress
    from qadb.sessions.unit import UnitOfWork

WAIT_WRITERS_SECONDS = 30.0
MOST_NAMED = 4

_ACTOR = Actor(user_agent=DEMO_SOURCE, session_id="demo")


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What became of the demo.

    Attributes:
        added: False when it was there already.
        tenants: whose data it consists of.
        seed, scale: what it was made from; None where an older one does not tell.
        rows: rows added, by table.
    """

    added: bool
    tenants: tuple[str, ...]
    seed: int | None
    scale: int | None
    rows: dict[str, int]
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class InitDemoResult:
    """What ``init --demo`` made."""

    init: InitResult
    demo: DemoResult


def init_demo(
    database: Database,
    *,
    seed: int | None = None,
    scale: int | None = None,
    now: datetime | None = None,
    wait_seconds: float = 0.0,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> InitDemoResult:
    """Create what is missing as `init_database` does, then add the demo as `add_demo` does.

    A database that must not get the demo is not brought to head either.
    """
    if wait_seconds:
        database.wait_until_reachable(wait_seconds)
    if database.exists():
        with _telling_who_may(), database.connect(read_only=True) as connection:
            _look(database, connection)
    init = init_database(
        database, wait_lock_seconds=wait_lock_seconds, progress=progress, notify=notify
    )
    demo = add_demo(
        database,
        seed=seed,
        scale=scale,
        now=now,
        wait_lock_seconds=wait_lock_seconds,
        progress=progress,
        notify=notify,
    )
    return InitDemoResult(init, demo)


def add_demo(
    database: Database,
    *,
    seed: int | None = None,
    scale: int | None = None,
    now: datetime | None = None,
    wait_lock_seconds: float = WAIT_LOCK_SECONDS,
    progress: Progress = no_progress,
    notify: Callable[[str], None] = say_nothing,
) -> DemoResult:
    """Write the demo in one transaction; where it is already, nothing changes.

    Args:
        database: at head, and without rows but reference data and the tenant ``default``.
        seed: the same seed and moment make the same rows, on every engine; 1 by default.
        scale: multiplies tests and runs; 1 by default, 100 makes some 900,000 results.
        now: what the demo's times count back from, aware; the present moment by default.
        wait_lock_seconds: how long another operation may keep us waiting.
        progress: told how many results are written.
        notify: told whom we wait for.

    Raises:
        ValueError: the scale is below 1, or ``now`` has no time zone.
        DataPresent: the database holds rows of somebody's own.
        EmptyDatabase, UnmanagedDatabase, RevisionMismatch: it is not at head.
        LockNotAvailable: somebody else writes and does not come to an end.
        InsufficientPrivilege: on PostgreSQL, the role does not own the tables.
    """
    started = time.monotonic()
    plan = DemoPlan(
        seed=DEFAULT_SEED if seed is None else seed,
        scale=DEFAULT_SCALE if scale is None else scale,
        now=now or datetime.now(UTC),
    )
    with _telling_who_may():
        with database.connect(read_only=True) as connection:  # looking needs no right to write
            require_current(database, connection)
            found = _look(database, connection)
        rows: dict[str, int] = {}
        if found is None:
            waiting = tell_about_waiting(notify)
            with database.exclusive(wait_seconds=wait_lock_seconds, on_wait=waiting):
                found, rows = _write(database, plan, progress)
    return DemoResult(
        added=found is None,
        tenants=tuple(company.tenant_id for company in COMPANIES),
        seed=plan.seed if found is None else found.seed,
        scale=plan.scale if found is None else found.scale,
        rows=rows,
        elapsed_seconds=time.monotonic() - started,
    )


def _write(
    database: Database, plan: DemoPlan, progress: Progress
) -> tuple[FoundDemo | None, dict[str, int]]:
    def on_results(done: int, total: int) -> None:
        progress(ProgressEvent("demo data", done, total, "rows"))

    def fill(unit: UnitOfWork) -> tuple[FoundDemo | None, dict[str, int]]:
        connection = unit.own_connection()
        _exclude_writers(database, connection)
        require_current(database, connection)
        found = _look(database, connection)  # once more: others wrote until now
        return found, {} if found is not None else write_demo(unit, plan, on_results)

    return database.run(fill, all_tenants=True, actor=_ACTOR)


def _exclude_writers(database: Database, connection: Connection) -> None:
    try:
        with database.translated():
            database.backend.seeding.exclude_writers(
                connection, table_of(Tenant), wait_seconds=WAIT_WRITERS_SECONDS
            )
    except LockNotAvailable as error:
        raise LockNotAvailable(
            f"Somebody writes to {database.url.shown} and did not come to an end"
            f" within {WAIT_WRITERS_SECONDS:.0f} s.",
            hint="Wait for them to finish, then run the command again.",
        ) from error


def _look(database: Database, connection: Connection) -> FoundDemo | None:
    """Find the demo; raises DataPresent when there is something else instead."""
    if read_state_on(connection, database).state not in ("current", "behind"):
        return None  # init says what is wrong with it, or makes it
    database.backend.context.set_context(connection, tenant=None, actor=None)
    tables = database.backend.connector.list_tables(connection)
    found = find_demo(connection, tables)
    if found is None:
        _refuse(database, [*tables_in_use(connection, tables)])
    return found


def _refuse(database: Database, used: list[str]) -> None:
    if used:
        more = f" and {len(used) - MOST_NAMED} more" if len(used) > MOST_NAMED else ""
        raise DataPresent(
            f"{database.url.shown} holds data already, in {', '.join(used[:MOST_NAMED])}{more};"
            " the demo goes into a database of its own.",
            hint="Name another one: qadb init --demo --database-url sqlite:///./demo.sqlite3",
        )


@contextmanager
def _telling_who_may() -> Iterator[None]:
    """Who is confined to a tenant is usually told to name it, which is no help here."""
    try:
        yield
    except InsufficientPrivilege as error:
        if "--tenant" not in (error.hint or ""):
            raise
        hint = "The demo fills several tenants: use the role that owns the tables."
        raise InsufficientPrivilege(error.message, hint=hint) from error
