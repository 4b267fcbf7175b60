"""Keyset pages: a stable order, the place in it where a page ended, and that place as text.

A page goes on behind the last row of the one before, so rows that come or go meanwhile neither
shift nor repeat the others, and the thousandth page costs as much as the first. NULL sorts as the
largest value on both engines.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import and_, false, inspect, literal, or_, tuple_

from qadb.repositories.generic.filters import column_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, UnaryExpression
    from sqlalchemy.orm import DeclarativeBase

    from qadb.repositories.generic.filters import Attribute

M = TypeVar("M")

_DIGEST_BYTES = 6


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Some rows of a list.

    Attributes:
        items: the rows, in order.
        next_cursor: where the next page begins; None behind the last one.
    """

    items: Sequence[M]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Term:
    column: Attribute
    name: str
    descends: bool
    is_nullable: bool

    def sorted(self) -> UnaryExpression[object]:
        term = self.column.desc() if self.descends else self.column.asc()
        if not self.is_nullable:
            return term
        return term.nulls_first() if self.descends else term.nulls_last()

    def bound(self, value: object) -> ColumnElement[object]:
        return literal(value, type_=self.column.type)

    def is_at(self, value: object) -> ColumnElement[bool]:
        return self.column.is_(None) if value is None else self.column == self.bound(value)

    def is_behind(self, value: object) -> ColumnElement[bool]:
        if value is None:
            return self.column.is_not(None) if self.descends else false()
        if self.descends:
            return self.column < self.bound(value)
        behind = self.column > self.bound(value)
        return or_(behind, self.column.is_(None)) if self.is_nullable else behind

    def bounds(self, value: object) -> list[ColumnElement[bool]]:
        """What holds for all rows at or behind a value, where that is one comparison."""
        if value is None or (self.is_nullable and not self.descends):
            return []
        bound = self.bound(value)
        return [self.column <= bound if self.descends else self.column >= bound]


class Ordering:
    """The order of a list, with the key as tie-break.

    Args:
        model: whose rows are listed.
        names: columns; ``-`` in front turns one round.
    """

    def __init__(self, model: type[DeclarativeBase], names: str | Sequence[str]) -> None:
        stated = [names] if isinstance(names, str) else list(names)
        terms = [_term(model, name) for name in stated]
        descends = bool(terms) and terms[-1].descends
        key = [inspect(model).get_property_by_column(c).key for c in inspect(model).primary_key]
        given = {term.name for term in terms}
        terms += [
            _term(model, f"-{name}" if descends else name) for name in key if name not in given
        ]
        self._terms = terms
        directions = ",".join(f"{'-' if term.descends else ''}{term.name}" for term in terms)
        self._signature = f"{model.__tablename__}:{directions}".encode()

    def terms(self) -> list[UnaryExpression[object]]:
        """What ORDER BY takes."""
        return [term.sorted() for term in self._terms]

    def cursor_of(self, row: object) -> str:
        """Return the row's place in the order, as opaque text."""
        values = [_encode(getattr(row, term.name)) for term in self._terms]
        payload = json.dumps(values, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._digest(payload) + payload).decode().rstrip("=")

    def behind(self, cursor: str) -> ColumnElement[bool]:
        """Return the condition for rows behind a place; raises ValueError for other text."""
        values = self._decode(cursor)
        terms = self._terms
        if len({term.descends for term in terms}) == 1 and not any(t.is_nullable for t in terms):
            place = tuple_(*(t.bound(v) for t, v in zip(terms, values, strict=True)))
            columns = tuple_(*(term.column for term in terms))
            return columns < place if terms[0].descends else columns > place
        conditions: list[ColumnElement[bool]] = []
        for position, (term, value) in enumerate(zip(terms, values, strict=True)):
            ties = [t.is_at(v) for t, v in zip(terms[:position], values, strict=False)]
            conditions.append(and_(*ties, term.is_behind(value)))
        # The bound says nothing new, but is what an index begins to read at.
        return and_(*terms[0].bounds(values[0]), or_(*conditions))

    def _digest(self, payload: bytes) -> bytes:
        return blake2b(payload, digest_size=_DIGEST_BYTES, key=self._signature[:64]).digest()

    def _verified(self, raw: bytes) -> bytes:
        digest, payload = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if digest != self._digest(payload):
            raise ValueError("it belongs to another list")
        return payload

    def _decode(self, cursor: str) -> list[object]:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            values: list[object] = json.loads(self._verified(raw))
            return [_decode(value) for value in values]
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise ValueError(f"this is no cursor of this list: {error}") from None


def _term(model: type[DeclarativeBase], name: str) -> _Term:
    plain = name.removeprefix("-")
    column = column_of(model, plain)
    nullable = bool(inspect(model).column_attrs[plain].columns[0].nullable)
    return _Term(column, plain, descends=name.startswith("-"), is_nullable=nullable)


def _encode(value: object) -> object:
    """A value as JSON; what JSON does not know stands in a list with its kind."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    for kind, (python_type, write, _) in _KINDS.items():
        if isinstance(value, python_type):
            return [kind, write(value)]
    raise ValueError(f"a list can't be paged by a {type(value).__name__}")


def _decode(value: object) -> object:
    if not isinstance(value, list):
        return value
    kind, text = value
    read = _KINDS[kind][2]
    return read(text)


_KINDS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], object]]] = {
    "time": (datetime, datetime.isoformat, datetime.fromisoformat),
    "number": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
}
