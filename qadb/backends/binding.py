"""Converts values for a driver as the columns' types ask, for paths that go past SQLAlchemy.

The conversion is the types' own. What is kept here is the memory that spares most of it: in a
report the same moment, the same duration and the same flag come again and again.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Boolean, TypeDecorator

from qadb.backends.failures import REFUSALS, refused_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Dialect, Table
    from sqlalchemy.types import TypeEngine

Convert: TypeAlias = "Callable[[object], object]"
Finish: TypeAlias = "Callable[[object], object] | None"

MOST_REMEMBERED = 4096


class BoundRows:
    """Rows on their way to a driver, each converted as it is asked for.

    Args:
        finish: a further step for values of the columns whose types convert at all.

    Attributes:
        caller_error: what the caller's own iterator raised, if anything.
    """

    def __init__(
        self,
        dialect: Dialect,
        table: Table,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        finish: Finish = None,
    ) -> None:
        self._converters = _converters(dialect, table, tuple(columns), finish)
        self._rows = rows
        self.caller_error: BaseException | None = None

    def __iter__(self) -> Iterator[Sequence[object]]:
        """Yield the rows; raises DatabaseFailure for a value that its column can't hold."""
        rows = self._watched()
        converters = self._converters
        for row in rows:
            values = list(row)
            try:
                for position, convert in converters:
                    if values[position] is not None:
                        values[position] = convert(values[position])
            except REFUSALS as error:
                raise refused_value(error) from error
            yield values

    def _watched(self) -> Iterator[Sequence[object]]:
        try:
            yield from self._rows
        except BaseException as error:
            self.caller_error = error
            raise


@lru_cache(maxsize=32)  # with what they remember, from one batch to the next
def _converters(
    dialect: Dialect, table: Table, columns: tuple[str, ...], finish: Finish
) -> tuple[tuple[int, Convert], ...]:
    """Return position and converter of the columns whose types convert anything."""
    types = enumerate(table.c[name].type for name in columns)
    found = ((position, _converter(dialect, kind, finish)) for position, kind in types)
    return tuple((position, convert) for position, convert in found if convert is not None)


def _converter(dialect: Dialect, kind: TypeEngine[object], finish: Finish) -> Convert | None:
    process = kind.dialect_impl(dialect).bind_processor(dialect)
    if process is None:
        return None
    convert: Convert = process if finish is None else _chain(process, finish)
    if isinstance(kind, Boolean) or _holds(kind, float) or _holds(kind, Decimal):
        return _ByValue(convert).__getitem__
    return _remember_last(convert) if _holds(kind, datetime) else convert


def _holds(kind: TypeEngine[object], python_type: type) -> bool:
    declared = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    try:
        return issubclass(declared.python_type, python_type)
    except NotImplementedError:  # a type of somebody's own need not say
        return False


def _chain(process: Convert, finish: Convert) -> Convert:
    def convert(value: object) -> object:
        return finish(process(value))

    return convert


class _ByValue(dict[object, object]):
    """Remembers results by value: equal numbers are stored alike, whatever their Python type."""

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, value: object) -> object:
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        result = self[value] = self._convert(value)
        return result


def _remember_last(convert: Convert) -> Convert:
    """Remember one result, for the very object it came from: equal moments may differ in zone."""
    last: tuple[object, object] = (None, None)

    def remembering(value: object) -> object:
        nonlocal last
        known, result = last
        if value is known:
            return result
        result = convert(value)
        last = value, result  # at once, for threads share it
        return result

    return remembering
