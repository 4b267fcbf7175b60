"""Takes rows as SQLite keeps them into PostgreSQL: the protocol's functions, joined.

Owns what each value becomes: SQLite has moments, flags, documents and keys as text or numbers that
PostgreSQL reads by itself, exact decimals as integers of their smallest unit, lists as JSON.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

import psycopg2
from sqlalchemy import ARRAY, Column, Float, LargeBinary, MetaData, Numeric, Table

from qadb.backends.base_transfers import UnfitRow
from qadb.backends.postgresql.bulk import insert
from qadb.backends.postgresql.taking_place import (
    check_place,
    new_database,
    settle,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.types import TypeEngine

__all__ = ["check_place", "engines", "new_database", "settle", "take", "taking"]

Convert: TypeAlias = "Callable[[object], object]"

engines = frozenset({"sqlite"})

# Bad data, broken rules, and what is too long for an index: the row's fault and not the server's.
FAULTS_OF_ROWS: Final = ("22", "23", "54")
UNIQUE_AND_FOREIGN_KEYS: Final = ("23503", "23505")

# ``COPY products, line 3, column price: "x"``, in whatever language the server speaks.
_PLACE = re.compile(r"^COPY .*?, \D*?(\d+)(?:, \S+ ([^:]+):)?", re.MULTILINE)


@contextmanager
def taking(connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
    """Empty the tables of what revisions wrote, and keep their triggers from firing in the block.

    Those that hold foreign keys are the server's own and go on.
    """
    quoted = [connection.dialect.identifier_preparer.format_table(table) for table in tables]
    for table in quoted:
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    connection.exec_driver_sql(f"TRUNCATE TABLE {', '.join(quoted)}")
    yield
    for table in quoted:
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def take(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> int:
    """Insert rows by COPY; returns how many.

    Raises:
        UnfitRow: a value can't be converted, or the server refuses the row.
    """
    ready = Table(table.name, MetaData(), *(Column(name) for name in columns))  # no more to convert
    try:
        return insert(connection, ready, columns, _converted(table, columns, rows))
    except psycopg2.Error as error:
        if (error.pgcode or "").startswith(FAULTS_OF_ROWS):
            raise _unfit(error) from error
        raise


def _converted(
    table: Table, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> Iterator[list[object]]:
    converters = [_converter(table.c[name].type) for name in columns]
    for number, row in enumerate(rows, 1):
        values = list(row)
        for position, convert in enumerate(converters):
            value = values[position]
            if value is None:
                continue
            try:
                values[position] = convert(value)
            except ValueError as error:
                raise UnfitRow(number, columns[position], str(error)) from error
        yield values


def _converter(kind: TypeEngine[object]) -> Convert:
    if isinstance(kind, ARRAY):
        return _list
    if isinstance(kind, LargeBinary):
        return _bytes
    if isinstance(kind, Numeric) and not isinstance(kind, Float):
        return _decimal_of(kind.scale or 0)
    return _plain


def _plain(value: object) -> object:
    """Text and numbers are what the server's own input takes."""
    if isinstance(value, str):
        if "\x00" in value:
            raise _refused("it holds a NUL character, which PostgreSQL can't store")
    elif isinstance(value, bytes):
        raise _refused("it holds bytes where no bytes belong")
    return value


def _decimal_of(scale: int) -> Convert:
    def convert(value: object) -> Decimal:
        if not isinstance(value, int):
            raise _refused("it holds no whole number of the smallest unit")
        return Decimal(value).scaleb(-scale)

    return convert


def _list(value: object) -> list[object]:
    items = json.loads(value) if isinstance(value, str) else None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise _refused("it holds no list of texts")
    for item in items:
        _plain(item)
    return items


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise _refused("it holds something else than bytes")
    return value


def _refused(reason: str) -> ValueError:
    """One exception for every bad value, whether its type or its content is to blame."""
    return ValueError(reason)


def _unfit(error: psycopg2.Error) -> UnfitRow:
    """Read which row and column it is. Only the details of keys leave the row's values out."""
    found = _PLACE.search(error.diag.context or "")
    reason = error.diag.message_primary or "the server refuses it"
    if error.pgcode in UNIQUE_AND_FOREIGN_KEYS and error.diag.message_detail:
        reason += f" ({error.diag.message_detail.rstrip('.')})"
    number = int(found[1]) if found else None
    return UnfitRow(number, found[2] if found else error.diag.column_name, reason)
