"""A table with every kind of column that models use, and what tests do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    select,
)

from qadb.models.types import Json, ScaledNumeric, TextArray, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qadb.backends.values import LockHolder
    from qadb.database import Database

metadata = MetaData()

SAMPLE = Table(
    "Sample rows",  # a name that needs quotes
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("key", String(200), unique=True),
    Column("select", Text),  # and so does this
    Column("small", SmallInteger, CheckConstraint("small >= 0", name="ck_small")),
    Column("big", BigInteger),
    Column("flag", Boolean),
    Column("at", UtcDateTime),
    Column("amount", ScaledNumeric(12, 3)),
    Column("document", Json),
    Column("tags", TextArray),
    Column("content", LargeBinary),
)

PARENT = Table("parent", metadata, Column("id", Integer, primary_key=True))


def make_tables(database: Database) -> None:
    """Create the database and the tables in it."""
    database.create()
    with database.connect() as connection:
        metadata.create_all(connection)


def insert(database: Database, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Insert into the sample in a transaction of its own."""
    with database.connect() as connection:
        return database.backend.bulk.insert(connection, SAMPLE, columns, rows)


def read_column(database: Database, name: str) -> list[object]:
    """A column's values in the order of the key."""
    query = select(SAMPLE.c[name]).order_by(SAMPLE.c.id)
    with database.connect(read_only=True) as connection:
        return list(connection.scalars(query))


def ignore_holder(holder: LockHolder) -> None:
    """Wait without a word."""
    del holder
