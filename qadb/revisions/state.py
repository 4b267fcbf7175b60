"""Where a database stands: empty, foreign, behind, current, ahead or forked. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from qadb.errors import EmptyDatabase, RevisionMismatch, UnmanagedDatabase
from qadb.revisions.catalogue import Revision, read_catalogue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.database import Database

State = Literal["current", "behind", "ahead", "forked", "unmanaged", "empty", "absent"]


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What stands in the database and what this version of qadb would add.

    Attributes:
        revision: the applied revision; None before the first.
        head: the newest revision that this qadb knows.
        pending: revisions to apply, oldest first; none where qadb would not apply any.
    """

    state: State
    revision: str | None
    head: str | None
    pending: tuple[Revision, ...]


def read_state(database: Database) -> DatabaseState:
    """Find out where the database stands, without writing to it."""
    found = database.read_if_present(lambda connection: read_state_on(connection, database))
    return found or state_without_revision(database, "absent")


def read_state_on(connection: Connection, database: Database) -> DatabaseState:
    """The same on a connection that is open already."""
    connector, schema = database.backend.connector, database.schema
    tables = connector.list_tables(connection)
    if schema.version_table not in tables:
        is_foreign = bool(tables) or connector.is_marked_as_foreign(connection, schema)
        return state_without_revision(database, "unmanaged" if is_foreign else "empty")
    quoted = connection.dialect.identifier_preparer.quote(schema.version_table)
    rows = connection.execute(text(f"SELECT version_num FROM {quoted}"))  # noqa: S608 - our own name
    return _compare(database, tuple(sorted(rows.scalars())))


def state_without_revision(database: Database, state: State) -> DatabaseState:
    """The state of a database that has no version table."""
    catalogue = read_catalogue(database.schema.migrations)
    pending = () if state == "unmanaged" else catalogue.revisions
    return DatabaseState(state, None, catalogue.head, pending)


def _compare(database: Database, applied: tuple[str, ...]) -> DatabaseState:
    catalogue = read_catalogue(database.schema.migrations)
    head = catalogue.head
    if len(applied) > 1:
        return DatabaseState("forked", ", ".join(applied), head, ())
    revision = applied[0] if applied else None
    if revision is None or revision in catalogue:
        pending = catalogue.after(revision)
        return DatabaseState("behind" if pending else "current", revision, head, pending)
    is_newer = revision.isdigit() and (head is None or int(revision) > int(head))
    return DatabaseState("ahead" if is_newer else "forked", revision, head, ())


def require_managed(database: Database, state: DatabaseState) -> None:
    """Raise unless revisions of this qadb can be run on the database.

    Raises:
        EmptyDatabase, UnmanagedDatabase: it has no version table.
        RevisionMismatch: it is ahead of this qadb, or on another line.
    """
    shown = database.url.shown
    if state.state in ("empty", "absent"):
        raise EmptyDatabase(f"{shown} holds nothing yet.", hint="Set it up with: qadb init")
    if state.state == "unmanaged":
        raise UnmanagedDatabase(
            f"{shown} holds tables that qadb did not make.",
            hint="Name another database in QADB_DATABASE_URL. Where they are qadb's own, made "
            "without migrations, take them over with: qadb init --adopt",
        )
    if state.state == "ahead":
        raise RevisionMismatch(
            f"{shown} is at revision {state.revision}, this qadb knows up to {state.head}.",
            hint="Upgrade qadb: pip install --upgrade qadb",
        )
    if state.state == "forked":
        raise RevisionMismatch(
            f"{shown} is at revision {state.revision}, which is not in this qadb's history.",
            hint="It was migrated by another build of qadb: use that one, or restore a backup.",
        )


def require_current(database: Database, connection: Connection) -> DatabaseState:
    """Raise unless the database stands at head, which is what reading and writing data needs."""
    state = read_state_on(connection, database)
    require_managed(database, state)
    if state.state == "behind":
        raise RevisionMismatch(
            f"{database.url.shown} is at revision {state.revision or 'base'}, "
            f"this qadb needs {state.head}.",
            hint="Bring it up to date with: qadb migrate",
        )
    return state
