"""The history: what qadb has done to a database, beside the version table and no part of the model.

Each revision applied or taken back is one entry, and so is each backup, restore and cleanup.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Identity,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    text,
)
from sqlalchemy.schema import CreateColumn

from qadb.revisions.catalogue import read_catalogue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.schema import Schema

Direction: TypeAlias = Literal["up", "down"]
Operation: TypeAlias = Literal["migrate", "rollback", "adopt", "backup", "restore", "cleanup"]

_IS_READY = "qadb_history_is_ready"
_USER = "qadb_user"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that was done.

    Attributes:
        operation: what it was; None in entries older than this field, which are revisions' all.
        revision: the one applied or taken back; else where the database stood, None at base.
        direction: which way a revision was run; None for what runs none.
        applied_at: when it began, UTC.
        user: database role, or the system's user for a file.
        backup: the backup that was made before, or by it.
        is_edited: the revision's file differs from the one that ran; None when nobody can tell.
    """

    operation: Operation | None
    revision: str | None
    direction: Direction | None
    applied_at: datetime
    elapsed_seconds: float
    user: str
    qadb_version: str
    backup: str | None
    is_edited: bool | None


@cache  # a definition made anew would be compiled anew with each entry
def history_table(schema: Schema) -> Table:
    """The table's definition. Times are fixed-width UTC text on both engines.

    Columns that can be NULL came later: a table without them gets them with its next entry.
    """
    return Table(
        schema.history_table,
        MetaData(),
        Column("id", BigInteger().with_variant(Integer(), "sqlite"), Identity(), primary_key=True),
        Column("revision", String(32), nullable=False),
        Column("direction", String(4), nullable=False),
        Column("checksum", String(64)),
        Column("applied_at", String(27), nullable=False),
        Column("elapsed_seconds", Float(53), nullable=False),
        Column("user_name", String(255), nullable=False),
        Column("qadb_version", String(50), nullable=False),
        Column("operation", String(20)),
        Column("backup", Text()),
    )


def record_entry(
    connection: Connection,
    database: Database,
    operation: Operation,
    *,
    revision: str | None,
    applied_at: datetime,
    elapsed_seconds: float,
    direction: Direction | None = None,
    backup: str | None = None,
) -> None:
    """Write one entry inside the caller's transaction, which is the work's own where it has one."""
    from qadb import __version__  # noqa: PLC0415 - the root package stays empty of imports

    table = history_table(database.schema)
    _make_ready(connection, table)
    checksums = {
        r.revision: r.checksum for r in read_catalogue(database.schema.migrations).revisions
    }
    connection.execute(
        insert(table).values(
            operation=operation,
            revision=revision or "",
            direction=direction or "",
            checksum=checksums.get(revision or "") if direction else None,
            applied_at=applied_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            elapsed_seconds=round(elapsed_seconds, 6),
            user_name=_user_name(connection, database),
            qadb_version=__version__,
            backup=backup,
        )
    )


def _make_ready(connection: Connection, table: Table) -> None:
    """Create the table, or the columns that an older one lacks; once a connection."""
    if connection.info.get(_IS_READY):
        return
    table.create(connection, checkfirst=True)
    present = connection.execute(select(text("*")).select_from(table).limit(0)).keys()
    name = connection.dialect.identifier_preparer.format_table(table)
    for column in table.columns:
        if column.name not in present:
            added = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {added}")
    connection.info[_IS_READY] = True


def _user_name(connection: Connection, database: Database) -> str:
    if _USER not in connection.info:
        connection.info[_USER] = database.backend.connector.user_name(connection)
    name: str = connection.info[_USER]
    return name


def read_history(connection: Connection, database: Database) -> tuple[HistoryEntry, ...]:
    """All entries, oldest first; empty where the table is missing."""
    schema = database.schema
    if schema.history_table not in database.backend.connector.list_tables(connection):
        return ()
    table = history_table(schema)
    every = select(text("*")).select_from(table)  # an older one has fewer columns
    checksums = {r.revision: r.checksum for r in read_catalogue(schema.migrations).revisions}
    rows = connection.execute(every.order_by(table.c.id)).mappings()
    return tuple(
        HistoryEntry(
            operation=row.get("operation"),
            revision=row["revision"] or None,
            direction=row["direction"] or None,
            applied_at=datetime.fromisoformat(row["applied_at"]),
            elapsed_seconds=row["elapsed_seconds"],
            user=row["user_name"],
            qadb_version=row["qadb_version"],
            backup=row.get("backup"),
            is_edited=_is_edited(checksums.get(row["revision"]), row["checksum"]),
        )
        for row in rows
    )


def _is_edited(known: str | None, applied: str | None) -> bool | None:
    return None if known is None or applied is None else known != applied
