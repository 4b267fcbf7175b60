"""The table of applied steps: the tool's own, beside the version table and no part of the model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Identity,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
)

from qadb.revisions.catalogue import read_catalogue

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.schema import Schema

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class AppliedStep:
    """One revision that was applied or taken back.

    Attributes:
        applied_at: when it began, UTC.
        user: database role, or the system's user for a file.
        is_edited: the revision's file differs from the one that ran; None when nobody can tell.
    """

    revision: str
    direction: Direction
    applied_at: datetime
    elapsed_seconds: float
    user: str
    qadb_version: str
    is_edited: bool | None


def history_table(schema: Schema) -> Table:
    """The table's definition. Times are fixed-width UTC text on both engines."""
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
    )


def record_step(
    connection: Connection,
    database: Database,
    *,
    revision: str,
    direction: Direction,
    applied_at: datetime,
    elapsed_seconds: float,
) -> None:
    """Write one step inside the transaction that applies it."""
    from qadb import __version__  # noqa: PLC0415 - the root package stays empty of imports

    table = history_table(database.schema)
    table.create(connection, checkfirst=True)
    checksums = {
        r.revision: r.checksum for r in read_catalogue(database.schema.migrations).revisions
    }
    connection.execute(
        insert(table).values(
            revision=revision,
            direction=direction,
            checksum=checksums.get(revision),
            applied_at=applied_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            elapsed_seconds=round(elapsed_seconds, 6),
            user_name=database.backend.connector.user_name(connection),
            qadb_version=__version__,
        )
    )


def read_history(connection: Connection, database: Database) -> tuple[AppliedStep, ...]:
    """All steps, oldest first; empty where the table is missing."""
    schema = database.schema
    if schema.history_table not in database.backend.connector.list_tables(connection):
        return ()
    table = history_table(schema)
    checksums = {r.revision: r.checksum for r in read_catalogue(schema.migrations).revisions}
    return tuple(
        AppliedStep(
            revision=row.revision,
            direction=row.direction,
            applied_at=datetime.fromisoformat(row.applied_at),
            elapsed_seconds=row.elapsed_seconds,
            user=row.user_name,
            qadb_version=row.qadb_version,
            is_edited=_is_edited(checksums.get(row.revision), row.checksum),
        )
        for row in connection.execute(select(table).order_by(table.c.id))
    )


def _is_edited(known: str | None, applied: str | None) -> bool | None:
    return None if known is None or applied is None else known != applied
