"""Turns values of somebody's own SQLite tables into what a column of ours takes.

Such tables keep times, flags and documents each in a way of their own; what can be read in one way
only is read, and everything else is refused with ValueError.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from sqlalchemy import JSON, Boolean, Float, Integer, LargeBinary, Uuid

from qadb.models.types import ScaledNumeric, TextArray, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.types import TypeEngine

Convert: TypeAlias = "Callable[[object], object]"

FLAGS = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}


def converter_of(kind: TypeEngine[object]) -> Convert:
    """Return what makes a value, never None, one of a column's type; it raises ValueError."""
    for known, convert in CONVERTERS:
        if isinstance(kind, known):
            return convert
    return _text


def _moment(value: object) -> datetime:
    """Text as ISO 8601 has it, without a zone in UTC; numbers are seconds since 1970."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value.strip())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError(f"{value} is no moment") from error
    else:
        raise _refused(value, "a moment")
    return moment if moment.utcoffset() is not None else moment.replace(tzinfo=UTC)


def _flag(value: object) -> bool:
    text = str(int(value)) if isinstance(value, bool) else str(value).strip().lower()
    if text not in FLAGS:
        raise _refused(value, "true or false")
    return FLAGS[text]


def _whole(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (int, str)):
        return int(value)
    raise _refused(value, "a whole number")


def _decimal(value: object) -> Decimal:
    try:
        return Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except InvalidOperation as error:
        raise _refused(value, "a number") from error


def _real(value: object) -> float:
    if isinstance(value, (int, float, str)):
        return float(value)
    raise _refused(value, "a number")


def _document(value: object) -> object:
    return json.loads(value) if isinstance(value, (str, bytes)) else value


def _texts(value: object) -> list[str]:
    items = _document(value)
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise _refused(value, "a JSON list of texts")
    return items


def _uuid(value: object) -> UUID:
    if isinstance(value, bytes):
        return UUID(bytes=value)
    return UUID(str(value))


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    raise _refused(value, "bytes")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        raise _refused(value, "text")
    return str(value)


def _refused(value: object, wanted: str) -> ValueError:
    shown = f"{len(value)} bytes" if isinstance(value, bytes) else repr(value)[:50]
    return ValueError(f"{wanted} is needed, not {shown}")


CONVERTERS: tuple[tuple[type[TypeEngine[Any]], Convert], ...] = (
    (UtcDateTime, _moment),
    (ScaledNumeric, _decimal),
    (TextArray, _texts),
    (JSON, _document),
    (Boolean, _flag),
    (Integer, _whole),
    (Float, _real),
    (LargeBinary, _bytes),
    (Uuid, _uuid),
)
"""The first that fits; everything else is text."""
