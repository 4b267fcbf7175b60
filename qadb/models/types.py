"""Column types that behave alike on SQLite and PostgreSQL.

Owns how values are stored: times, exact decimals, JSON, lists of text, big keys. What SQLite's
loose typing lets through is refused by the CHECKs that `qadb.models.forms` derives from them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, TypeAlias, cast
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Integer,
    Interval,
    Numeric,
    Text,
    TypeDecorator,
    Uuid,
    literal,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.sql import operators
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Dialect, SQLColumnExpression
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine

Timestamp: TypeAlias = datetime
Amount: TypeAlias = Decimal
JsonDict: TypeAlias = dict[str, object]
JsonList: TypeAlias = list[object]
TextList: TypeAlias = list[str]
UuidKey: TypeAlias = UUID

BigIntKey = BigInteger().with_variant(Integer(), "sqlite")
"""Surrogate keys: bigint, and on SQLite the INTEGER that alone can be the row id."""

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON document; None is SQL's NULL."""

_SQLITE = "sqlite"
_SCALABLE_BY_PLAIN_NUMBER = frozenset({operators.mul, operators.truediv})


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: timestamptz, and on SQLite one fixed-width text that sorts by time.

    The text is ``2026-11-22T07:15:00.123456Z``. Naive datetimes are refused with ValueError; what
    is read is always aware and in UTC.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str] | TypeEngine[datetime]:
        """Return text on SQLite, timestamptz elsewhere."""
        if dialect.name == _SQLITE:
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Refuse naive values and write UTC."""
        if value is None:
            return None
        moment = require_aware(value)
        return format_utc(moment) if dialect.name == _SQLITE else moment

    def result_processor(
        self,
        dialect: Dialect,
        coltype: object,  # noqa: ARG002 - TypeEngine's signature
    ) -> Callable[[str | None], datetime | None] | Callable[[datetime | None], datetime | None]:
        """Return what reads an aware UTC datetime: a plain function, for lists are full of them."""
        return _read_text if dialect.name == _SQLITE else _read_moment

    def coerce_compared_value(
        self,
        op: operators.OperatorType | None,  # noqa: ARG002 - TypeDecorator's signature
        value: object,
    ) -> Interval | UtcDateTime:
        """Leave intervals as they are, so that ``column - timedelta`` works where SQL has it."""
        if isinstance(value, timedelta):
            return Interval()
        return self


def require_aware(value: datetime) -> datetime:
    """Return the moment in UTC; raises ValueError for anything but an aware datetime."""
    if not isinstance(value, datetime):
        raise ValueError(f"a datetime is needed, not {type(value).__name__}")  # noqa: TRY004 - one exception for every bad value
    if value.utcoffset() is None:
        raise ValueError(f"{value.isoformat()} has no time zone; pass an aware datetime")
    return value.astimezone(UTC)


def format_utc(moment: datetime) -> str:
    """Write an aware UTC moment as the 27 characters that SQLite stores."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _read_text(value: str | None) -> datetime | None:
    return None if value is None else _read_moment(datetime.fromisoformat(value))


def _read_moment(value: datetime | None) -> datetime | None:
    return value if value is None or value.tzinfo is UTC else value.astimezone(UTC)


class ScaledNumeric(TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC, and on SQLite an integer of the smallest unit.

    Comparison, order and ``sum`` work in SQL on both and come back as the same Decimal. Values are
    rounded half up to ``scale`` digits on their way in, also those that a column is compared with.
    ``avg`` returns a plain number in SQLite's unit: divide ``sum`` by ``count`` instead.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale
        self._unit = Decimal(1).scaleb(-scale)  # made once: rows are converted by the million
        self._limit = Decimal(10) ** (precision - scale)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[int] | TypeEngine[Decimal]:
        """Return a big integer on SQLite, NUMERIC elsewhere."""
        if dialect.name == _SQLITE:
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(self.precision, self.scale))

    def quantize(self, value: Decimal | float) -> Decimal:
        """Round to the column's scale; raises ValueError for what the column can't hold."""
        if isinstance(value, bool) or not isinstance(value, (Decimal, int, float)):
            raise ValueError(f"a number is needed, not {type(value).__name__}")  # noqa: TRY004 - one exception for every bad value
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if exact.is_finite() and exact.copy_abs() < self._limit:
            rounded = exact.quantize(self._unit, ROUND_HALF_UP)
            if rounded.copy_abs() < self._limit:
                return rounded
        raise ValueError(f"{value} does not fit into {self.precision} digits")

    def process_bind_param(
        self, value: Decimal | float | None, dialect: Dialect
    ) -> Decimal | int | None:
        """Round, and scale to an integer on SQLite."""
        if value is None:
            return None
        number = self.quantize(value)
        return int(number.scaleb(self.scale)) if dialect.name == _SQLITE else number

    def process_result_value(
        self, value: Decimal | float | None, dialect: Dialect
    ) -> Decimal | None:
        """Return the exact Decimal, with at least the column's scale."""
        if value is None:
            return None
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return number.scaleb(-self.scale) if dialect.name == _SQLITE else number

    def coerce_compared_value(
        self, op: operators.OperatorType | None, value: object
    ) -> Integer | Numeric[Decimal] | ScaledNumeric:
        """Take factors and divisors as plain numbers: only amounts are scaled."""
        if op in _SCALABLE_BY_PLAIN_NUMBER:
            return Integer() if isinstance(value, int) else Numeric()
        return self


class TextArray(TypeDecorator[list[str]]):
    """A list of text: ARRAY(Text), and on SQLite a JSON list."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(
        self, dialect: Dialect
    ) -> TypeEngine[TextList] | TypeEngine[Sequence[str]]:
        """Return JSON on SQLite, an array elsewhere."""
        if dialect.name == _SQLITE:
            document: JSON[TextList] = JSON(none_as_null=True)
            return dialect.type_descriptor(document)
        return dialect.type_descriptor(ARRAY(Text()))


def tracked_dict() -> TypeEngine[JsonDict]:
    """Return the type of a JSON object whose own keys may be changed in place."""
    return MutableDict.as_mutable(cast("TypeEngine[JsonDict]", Json.copy()))


def tracked_text_list() -> TypeEngine[TextList]:
    """Return the type of a list of text that may be changed in place."""
    return MutableList.as_mutable(TextArray())


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


class UtcNow(FunctionElement[datetime]):
    """The server's present moment, in the form of `UtcDateTime`."""

    inherit_cache = True
    type = UtcDateTime()
    name = "utc_now"


class ByCodePoint(FunctionElement[str]):
    """A text that sorts by code point, whatever the database's own collation."""

    inherit_cache = True
    type = Text()
    name = "by_code_point"


SQLITE_UTC_NOW = "strftime('%Y-%m-%dT%H:%M:%f000Z','now')"


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


class RandomUuid(FunctionElement[UUID]):
    """A new random UUID, in the form of SQLAlchemy's `Uuid`: 32 hexadecimal digits on SQLite."""

    inherit_cache = True
    type = Uuid()
    name = "random_uuid"


# Version 4 in the 13th digit, the variant in the 17th (RFC 9562, section 5.4).
SQLITE_RANDOM_UUID = (
    "lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2)"
    " || substr('89AB', (random() & 3) + 1, 1) || substr(hex(randomblob(2)), 2)"
    " || hex(randomblob(6)))"
)


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


@compiles(HoldsAll, "sqlite")
def _holds_all_on_sqlite(element: HoldsAll, compiler: SQLCompiler, **_options: object) -> str:
    column, texts = (compiler.process(clause) for clause in element.clauses)
    return (
        f"NOT EXISTS (SELECT 1 FROM json_each({texts}) AS wanted WHERE NOT EXISTS"  # noqa: S608 - bound
        f" (SELECT 1 FROM json_each({column}) AS held WHERE held.value = wanted.value))"
    )


@compiles(HoldsAny, "sqlite")
def _holds_any_on_sqlite(element: HoldsAny, compiler: SQLCompiler, **_options: object) -> str:
    column, texts = (compiler.process(clause) for clause in element.clauses)
    return (
        f"EXISTS (SELECT 1 FROM json_each({column}) AS held WHERE held.value IN"  # noqa: S608 - bound
        f" (SELECT wanted.value FROM json_each({texts}) AS wanted))"
    )


@compiles(HoldsAll, "postgresql")
def _holds_all_on_postgresql(element: HoldsAll, compiler: SQLCompiler, **_options: object) -> str:
    column, texts = (compiler.process(clause) for clause in element.clauses)
    return f"{column} @> CAST({texts} AS text[])"


@compiles(HoldsAny, "postgresql")
def _holds_any_on_postgresql(element: HoldsAny, compiler: SQLCompiler, **_options: object) -> str:
    column, texts = (compiler.process(clause) for clause in element.clauses)
    return f"{column} && CAST({texts} AS text[])"


@compiles(UtcNow, "sqlite")
def _utc_now_on_sqlite(_element: UtcNow, compiler: SQLCompiler, **_options: object) -> str:
    del compiler
    return SQLITE_UTC_NOW


@compiles(UtcNow, "postgresql")
def _utc_now_on_postgresql(_element: UtcNow, compiler: SQLCompiler, **_options: object) -> str:
    del compiler
    return "now()"


@compiles(UtcDay, "sqlite")
def _utc_day_on_sqlite(element: UtcDay, compiler: SQLCompiler, **options: object) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 10)"


@compiles(UtcDay, "postgresql")
def _utc_day_on_postgresql(element: UtcDay, compiler: SQLCompiler, **options: object) -> str:
    return f"CAST(timezone('UTC', {compiler.process(element.clauses, **options)}) AS DATE)"


@compiles(ByCodePoint, "sqlite")
def _by_code_point_on_sqlite(element: ByCodePoint, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses, **options)


@compiles(ByCodePoint, "postgresql")
def _by_code_point_on_postgresql(
    element: ByCodePoint, compiler: SQLCompiler, **options: object
) -> str:
    return f'({compiler.process(element.clauses, **options)}) COLLATE "C"'
