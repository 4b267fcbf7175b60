"""Column types that behave alike on SQLite and PostgreSQL.

Owns how values are stored: times, exact decimals, JSON, lists of text, big keys. What SQLite's
loose typing lets through is refused by the CHECKs that `qadb.models.forms` derives from them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, TypeAlias, cast
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Integer,
    Interval,
    Numeric,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql import operators

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Dialect
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
    from sqlalchemy.ext.mutable import MutableDict  # noqa: PLC0415 - loads the ORM

    return MutableDict.as_mutable(cast("TypeEngine[JsonDict]", Json.copy()))


def tracked_text_list() -> TypeEngine[TextList]:
    """Return the type of a list of text that may be changed in place."""
    from sqlalchemy.ext.mutable import MutableList  # noqa: PLC0415 - loads the ORM

    return MutableList.as_mutable(TextArray())
