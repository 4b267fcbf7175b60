"""One column in words: its types on both engines, its default, what it means and must keep."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, cast

from sqlalchemy import ColumnDefault, DefaultClause, Integer
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import declared_attr

from docs.generator.markdown import code, prose
from docs.generator.rules import in_words
from qadb.models import mixins
from qadb.models.functions import RandomUuid, UtcNow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Dialect
    from sqlalchemy.sql import ClauseElement

    from qadb.models import Base
    from qadb.models.rules import Rule

SQLITE: Dialect = sqlite.dialect()
POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's gap

_SHORTER = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
_MIXINS = tuple(each for _, each in inspect.getmembers(mixins, inspect.isclass))


def type_on(column: Column[object], dialect: Dialect) -> str:
    """Return the column's type as one engine calls it."""
    name = column.type.compile(dialect=dialect)
    return _SHORTER.get(name, name)


def default_of(column: Column[object]) -> str:
    """Return what a column holds when nobody says, or nothing."""
    if column.identity is not None:
        return "numbered"
    made: object = column.server_default
    if isinstance(made, DefaultClause):
        return _server_default(made.arg)
    filled: object = column.default
    if isinstance(filled, ColumnDefault):
        value = cast("ClauseElement", filled.arg)
        return f"by the models: {code(_one_line(_literal(value).strip('()')))}"
    return ""


def _server_default(value: object) -> str:
    if isinstance(value, UtcNow):
        return "now"
    if isinstance(value, RandomUuid):
        return "a random UUID"
    if isinstance(value, str):
        return code(f"'{value}'")
    return code(_literal(cast("ClauseElement", value)))


def _literal(value: ClauseElement) -> str:
    return str(value.compile(dialect=POSTGRESQL, compile_kwargs={"literal_binds": True}))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def meaning_of(model: type[Base], column: Column[object]) -> str:
    """Return what is known of a column: its own words, what it refers to, what it must keep."""
    return "; ".join(_parts(model, column))


def _parts(model: type[Base], column: Column[object]) -> Iterator[str]:
    words = column.doc or column.comment or _words_of_mixin(model, column.name)
    if words:
        yield prose(words).rstrip(".")
    for key in sorted(column.foreign_keys, key=lambda key: key.target_fullname):
        if key.constraint is not None and len(key.constraint.columns) == 1:
            yield f"→ {code(key.target_fullname)}, on delete {key.ondelete}"
    for rule in model.__rules__:
        if rule.columns == (column.name,):
            yield in_words(rule)


def _words_of_mixin(model: type[Base], name: str) -> str | None:
    """A column that several tables share may be described where it is shared."""
    for mixin in model.__mro__:
        declared: object = vars(mixin).get(name)
        if mixin in _MIXINS and isinstance(declared, declared_attr):
            return inspect.getdoc(getattr(declared.fget, "__func__", declared.fget))
    return None


def diagram_type(column: Column[object]) -> str:
    """Return one word for the type, which is all that Mermaid takes."""
    name = type_on(column, POSTGRESQL).lower()
    return re.sub(r"\(.*\)| precision", "", name)


def rules_over_several(model: type[Base]) -> list[Rule]:
    """Return the rules that no single column's row can tell."""
    return [rule for rule in model.__rules__ if len(rule.columns) > 1]


def is_numbered(column: Column[object]) -> bool:
    """Tell whether the database numbers the column."""
    return column.identity is not None and isinstance(column.type, Integer)
