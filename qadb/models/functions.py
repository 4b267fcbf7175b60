"""SQL that each engine says in its own words.

Owns the expressions that models and repositories share: the server's moment and its day, a random
key, an order by code point, what a list of text holds.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Boolean, Date, Text, Uuid, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from qadb.models.types import TextArray, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, SQLColumnExpression
    from sqlalchemy.sql.compiler import SQLCompiler

    from qadb.models.types import TextList

SQLITE_UTC_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"

# Version 4 in the 13th digit, the variant in the 17th (RFC 9562, section 5.4).
SQLITE_RANDOM_UUID = (
    "lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2)"
    " || substr('89AB', (random() & 3) + 1, 1) || substr(hex(randomblob(2)), 2)"
    " || hex(randomblob(6)))"
)


class UtcNow(FunctionElement[datetime]):
    """The server's present moment, in the form of `UtcDateTime`."""

    inherit_cache = True
    type = UtcDateTime()
    name = "utc_now"


@compiles(UtcNow, "sqlite")
def _utc_now_on_sqlite(_element: UtcNow, compiler: SQLCompiler, **_options: object) -> str:
    del compiler
    return SQLITE_UTC_NOW


@compiles(UtcNow, "postgresql")
def _utc_now_on_postgresql(_element: UtcNow, compiler: SQLCompiler, **_options: object) -> str:
    del compiler
    return "now()"


class UtcDay(FunctionElement[date]):
    """The day in UTC of a moment in the form of `UtcDateTime`; `utc_day` makes one."""

    inherit_cache = True
    type = Date()
    name = "utc_day"


def utc_day(
    moment: SQLColumnExpression[datetime] | SQLColumnExpression[datetime | None],
) -> UtcDay:
    """Return the SQL for the day in UTC on which a moment lies; NULL for NULL."""
    return UtcDay(moment)


@compiles(UtcDay, "sqlite")
def _utc_day_on_sqlite(element: UtcDay, compiler: SQLCompiler, **options: object) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 10)"


@compiles(UtcDay, "postgresql")
def _utc_day_on_postgresql(element: UtcDay, compiler: SQLCompiler, **options: object) -> str:
    return f"CAST(timezone('UTC', {compiler.process(element.clauses, **options)}) AS DATE)"


class RandomUuid(FunctionElement[UUID]):
    """A new random UUID, in the form of SQLAlchemy's `Uuid`: 32 hexadecimal digits on SQLite."""

    inherit_cache = True
    type = Uuid()
    name = "random_uuid"


@compiles(RandomUuid, "sqlite")
def _random_uuid_on_sqlite(_element: RandomUuid, compiler: SQLCompiler, **_options: object) -> str:
    del compiler
    return SQLITE_RANDOM_UUID


@compiles(RandomUuid, "postgresql")
def _random_uuid_on_postgresql(
    _element: RandomUuid, compiler: SQLCompiler, **_options: object
) -> str:
    del compiler
    return "gen_random_uuid()"


class ByCodePoint(FunctionElement[str]):
    """A text that sorts by code point, whatever the database's own collation."""

    inherit_cache = True
    type = Text()
    name = "by_code_point"


@compiles(ByCodePoint, "sqlite")
def _by_code_point_on_sqlite(element: ByCodePoint, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses, **options)


@compiles(ByCodePoint, "postgresql")
def _by_code_point_on_postgresql(
    element: ByCodePoint, compiler: SQLCompiler, **options: object
) -> str:
    return f'({compiler.process(element.clauses, **options)}) COLLATE "C"'


class HoldsAll(FunctionElement[bool]):
    """Whether a list of text holds every text of another; NULL holds nothing."""

    inherit_cache = True
    type = Boolean()
    name = "holds_all"

    def __init__(self, column: ColumnElement[TextList | None], texts: Sequence[str]) -> None:
        super().__init__(column, literal(list(texts), TextArray()))


class HoldsAny(HoldsAll):
    """Whether a list of text holds any text of another."""

    inherit_cache = True
    name = "holds_any"


@compiles(HoldsAll, "sqlite")
def _holds_all_on_sqlite(element: HoldsAll, compiler: SQLCompiler, **_options: object) -> str:
    column, texts = (compiler.process(clause) for clause in element.clauses)
    return (
        f"NOT EXISTS (SELECT 1 FROM json_each({texts}) AS wanted WHERE NOT EXISTS"  # noqa: S608 - bound
        f" (SELECT 1 FROM json_each({column}) AS held WHERE held.value = wanted.value))"
    )


@compiles(HoldsAll, "postgresql")
def _holds_all_on_postgresql(element: HoldsAll, compiler: SQLCompiler, **_options: object) -> str:
    column, texts = (compiler.process(clause) for clause in element.clauses)
    return f"{column} @> CAST({texts} AS text[])"


@compiles(HoldsAny, "sqlite")
def _holds_any_on_sqlite(element: HoldsAny, compiler: SQLCompiler, **_options: object) -> str:
    column, texts = (compiler.process(clause) for clause in element.clauses)
    return (
        f"EXISTS (SELECT 1 FROM json_each({column}) AS held WHERE held.value IN"  # noqa: S608 - bound
        f" (SELECT wanted.value FROM json_each({texts}) AS wanted))"
    )


@compiles(HoldsAny, "postgresql")
def _holds_any_on_postgresql(element: HoldsAny, compiler: SQLCompiler, **_options: object) -> str:
    column, texts = (compiler.process(clause) for clause in element.clauses)
    return f"{column} && CAST({texts} AS text[])"
