"""What is loaded along with a list: a constant number of queries, whatever its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import inspect
from sqlalchemy.orm import QueryableAttribute, selectinload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import DeclarativeBase
    from sqlalchemy.orm.interfaces import ORMOption
    from sqlalchemy.orm.strategy_options import _AbstractLoad

    Eager: TypeAlias = str | QueryableAttribute[object] | ORMOption


def eager_options(model: type[DeclarativeBase], wanted: Iterable[Eager]) -> list[ORMOption]:
    """Return loader options for relationships, dotted paths of names, or options as they are.

    Raises:
        ValueError: there is no such relationship.
    """
    return [_option(model, each) for each in wanted]


def _option(model: type[DeclarativeBase], wanted: Eager) -> ORMOption:
    if isinstance(wanted, str):
        return _path(model, wanted)
    return selectinload(wanted) if isinstance(wanted, QueryableAttribute) else wanted


def _path(model: type[DeclarativeBase], path: str) -> ORMOption:
    load: _AbstractLoad | None = None
    for name in path.split("."):
        relationships = inspect(model).relationships
        if name not in relationships:
            known = ", ".join(sorted(relationships.keys()))
            raise ValueError(f"{model.__name__} has no relationship {name!r}; it has {known}")
        attribute = getattr(model, name)
        load = selectinload(attribute) if load is None else load.selectinload(attribute)
        model = relationships[name].mapper.class_
    if load is None:
        raise ValueError("a path names at least one relationship")
    return load
