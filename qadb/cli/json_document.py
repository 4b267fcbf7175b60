"""The JSON edge: results become plain JSON values here and nowhere else.

Owns the spelling of times, paths, numbers and enums in documents, and the header that every
document carries. Writing them is the work of `qadb.cli.output`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TypeAlias
from uuid import UUID

SCHEMA_VERSION = 1

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """The database a document speaks of, as every document's header shows it.

    Attributes:
        url: with its secrets hidden.
        engine: ``sqlite`` or ``postgresql``.
        server_version: None while no connection was made.
    """

    url: str
    engine: str
    server_version: str | None = None


def header(
    command: str | None, database: DatabaseIdentity | None, elapsed_seconds: float
) -> JsonObject:
    """Make the fields that every document begins with."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "database": to_json(database),
        "elapsed_seconds": round(elapsed_seconds, 6),
    }


def to_json(value: object) -> JsonValue:
    """Convert a result to JSON values.

    Times become ISO 8601 in UTC with ``Z``, paths and UUIDs text, decimals numbers, enums their
    values, dataclasses objects; a number that JSON can't write (NaN, infinity) becomes null.

    Raises:
        TypeError: a value of a type that has no agreed spelling.
        ValueError: a time without a time zone.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, str | PurePath | UUID):
        return str(value)
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, date):
        return _time(value)
    return _container(value)


def _number(value: float | Decimal) -> JsonValue:
    if isinstance(value, int):
        return int(value)
    if not math.isfinite(value):
        return None
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return float(value)


def _time(value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.tzinfo is None:
        raise ValueError("a time without a time zone can't be written")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _container(value: object) -> JsonValue:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Set):
        return [to_json(item) for item in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [to_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def encode(document: JsonObject, encoding: str) -> str:
    """Write a document as text: readable characters where ``encoding`` has them, else escapes."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:  # an old locale, or a file name that is no UTF-8
        text = json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False)
    return text + "\n"
