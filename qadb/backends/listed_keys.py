"""A condition that a column has one of many values, which are one parameter however many they are.

An ``IN`` with a parameter a value is compiled anew for each number of them, and SQLite takes no
more than 32,766. PostgreSQL reads an array of constants one by one: in one text it is a third of
the work.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, any_, bindparam, cast
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeDecorator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine


class _JsonList(TypeDecorator["Sequence[object]"]):
    """Values of a type as a JSON array."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self._item = item

    def process_bind_param(self, value: Sequence[object] | None, dialect: Dialect) -> str:
        to_stored = self._item.dialect_impl(dialect).bind_processor(dialect)
        return json.dumps([to_stored(each) if to_stored else each for each in value or ()])


class _ArrayText(TypeDecorator["Sequence[object]"]):
    """Values as PostgreSQL writes an array of them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[object] | None, dialect: Dialect) -> str:
        del dialect
        words = [str(each) for each in value or ()]
        return "{" + json.dumps(words, ensure_ascii=False)[1:-1] + "}"


class _IsListed(FunctionElement[bool]):
    """Its clauses are the column and, once an engine, the parameter."""

    name = "is_listed"
    inherit_cache = True
    type = NullType()  # type: ignore[assignment]  # as a truth value it would be compared with 1


def is_listed(column: ColumnElement[object], parameter: str) -> ColumnElement[bool]:
    """The column has one of the values that the statement is given as a sequence."""
    return _IsListed(
        column,
        bindparam(parameter, type_=_JsonList(column.type)),
        cast(bindparam(parameter, type_=_ArrayText()), ARRAY(column.type)),
    )


@compiles(_IsListed, "sqlite")
def _in_json(element: _IsListed, compiler: SQLCompiler, **options: object) -> str:
    column, in_json, _ = element.clauses
    listed = compiler.process(in_json, **options)
    return f"{compiler.process(column, **options)} IN (SELECT value FROM json_each({listed}))"


@compiles(_IsListed, "postgresql")
def _in_array(element: _IsListed, compiler: SQLCompiler, **options: object) -> str:
    column, _, array = element.clauses
    return compiler.process(column == any_(array), **options)
