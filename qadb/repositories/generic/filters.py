"""Filters by keyword: ``status="failed"``, ``started_at__gte=…``, ``name__icontains=…``.

A keyword is a column's name, or one with two underscores and an operator. Unknown names raise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias, cast
from uuid import UUID

from sqlalchemy import ClauseElement, String, TypeDecorator, inspect
from sqlalchemy.orm import QueryableAttribute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import DeclarativeBase

    Attribute: TypeAlias = QueryableAttribute[object]

SEPARATOR = "__"


def column_of(model: type[DeclarativeBase], name: str) -> Attribute:
    """Return a model's column by name; raises ValueError for any other name."""
    names = inspect(model).column_attrs.keys()
    if name not in names:
        known = ", ".join(sorted(names))
        raise ValueError(f"{model.__name__} has no column {name!r}; it has {known}")
    return cast("Attribute", getattr(model, name))


def conditions(
    model: type[DeclarativeBase], filters: Mapping[str, object]
) -> list[ColumnElement[bool]]:
    """Return the condition of each filter.

    Raises:
        ValueError: an unknown column or operator, or a value that the operator or the column
            can't take.
    """
    return [_condition(model, keyword, value) for keyword, value in filters.items()]


def _condition(model: type[DeclarativeBase], keyword: str, value: object) -> ColumnElement[bool]:
    name, _, operator = keyword.partition(SEPARATOR)
    column = column_of(model, name)
    make = OPERATORS.get(operator)
    if make is None:
        known = ", ".join(sorted(filter(None, OPERATORS)))
        raise ValueError(f"{keyword}: there is no operator {operator!r}; there are {known}")
    try:
        _check_values(column, operator, value)
        return make(column, value)
    except _NotForThisError as error:
        raise ValueError(f"{keyword}: {error}") from None


class _NotForThisError(Exception):
    """The operator can't take the column or the value."""


def _check_values(column: Attribute, operator: str, value: object) -> None:
    """Refuse what the column can't hold: engines differ in what they make of it."""
    if operator in _COMPARING:
        _check_value(column, value)
    elif operator in _LISTING:
        for member in _members(value):
            _check_value(column, member)


def _check_value(column: Attribute, value: object) -> None:
    if value is None or isinstance(value, ClauseElement | QueryableAttribute):
        return
    declared = column.type
    kind = (declared.impl_instance if isinstance(declared, TypeDecorator) else declared).python_type
    wanted = _TAKEN.get(kind)
    if wanted is None:
        return
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise _NotForThisError(f"{kind.__name__} is needed, not {type(value).__name__}")
    if isinstance(value, datetime) and value.utcoffset() is None:
        raise _NotForThisError(f"{value.isoformat()} has no time zone; pass an aware datetime")
    if isinstance(value, int) and not -_LARGEST_KEY <= value <= _LARGEST_KEY:
        raise _NotForThisError(f"{value} does not fit into 64 bits")


_TAKEN: dict[type, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (int, float),
    Decimal: (int, float, Decimal),
    str: (str,),
    datetime: (datetime,),
    UUID: (UUID,),
}
_LARGEST_KEY = 2**63 - 1
_COMPARING = frozenset({"", "eq", "ne", "lt", "lte", "gt", "gte"})
_LISTING = frozenset({"in", "notin", "between"})

_Make: TypeAlias = "Callable[[Attribute, object], ColumnElement[bool]]"


def _comparison(method: str) -> _Make:
    def make(column: Attribute, value: object) -> ColumnElement[bool]:
        if value is None:
            raise _NotForThisError("nothing compares with None; use isnull")
        return cast("ColumnElement[bool]", getattr(column, method)(value))

    return make


def _pattern(method: str, *, escapes: bool) -> _Make:
    def make(column: Attribute, value: object) -> ColumnElement[bool]:
        if not isinstance(column.type, String):
            raise _NotForThisError("the column holds no text")
        if not isinstance(value, str):
            raise _NotForThisError(f"text is needed, not {type(value).__name__}")
        match = getattr(column, method)
        condition = match(value, autoescape=True) if escapes else match(value, escape="\\")
        return cast("ColumnElement[bool]", condition)

    return make


def _is_null(column: Attribute, value: object) -> ColumnElement[bool]:
    if not isinstance(value, bool):
        raise _NotForThisError("True or False is needed")
    return column.is_(None) if value else column.is_not(None)


def _is_in(column: Attribute, value: object) -> ColumnElement[bool]:
    members = _members(value)
    known = [member for member in members if member is not None]
    found = column.in_(known)
    return found | column.is_(None) if len(known) < len(members) else found


def _is_not_in(column: Attribute, value: object) -> ColumnElement[bool]:
    """Like ``ne``, it holds for NULL unless None is among the values."""
    members = _members(value)
    known = [member for member in members if member is not None]
    absent = column.not_in(known)
    is_set = column.is_not(None)
    return absent & is_set if len(known) < len(members) else absent | ~is_set


def _is_between(column: Attribute, value: object) -> ColumnElement[bool]:
    try:
        lower, upper = _members(value)
    except ValueError:
        raise _NotForThisError("a lower and an upper bound are needed") from None
    return column.between(lower, upper)


def _members(value: object) -> Collection[object]:
    if isinstance(value, str | bytes) or not isinstance(value, Collection):
        raise _NotForThisError(f"a list is needed, not {type(value).__name__}")
    return value


OPERATORS: dict[str, _Make] = {
    "": lambda column, value: column == value,
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "lt": _comparison("__lt__"),
    "lte": _comparison("__le__"),
    "gt": _comparison("__gt__"),
    "gte": _comparison("__ge__"),
    "in": _is_in,
    "notin": _is_not_in,
    "between": _is_between,
    "isnull": _is_null,
    "like": _pattern("like", escapes=False),
    "ilike": _pattern("ilike", escapes=False),
    "contains": _pattern("contains", escapes=True),
    "icontains": _pattern("icontains", escapes=True),
    "startswith": _pattern("startswith", escapes=True),
    "istartswith": _pattern("istartswith", escapes=True),
    "endswith": _pattern("endswith", escapes=True),
    "iendswith": _pattern("iendswith", escapes=True),
}
