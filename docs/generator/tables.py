"""One table's section: columns, keys, indexes, rules, and how its model is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import Index, Table, UniqueConstraint
from sqlalchemy.orm import RelationshipDirection

from docs.generator.columns import (
    POSTGRESQL,
    SQLITE,
    default_of,
    is_numbered,
    meaning_of,
    rules_over_several,
    type_on,
)
from docs.generator.markdown import code, codes, prose, table
from docs.generator.rules import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import ForeignKeyConstraint
    from sqlalchemy.orm import RelationshipProperty

    from qadb.models import Base

_HEADER = ("column", "PostgreSQL", "SQLite", "NULL", "default", "meaning")


def table_of(model: type[Base]) -> Table:
    """Return the model's table."""
    return cast("Table", model.__table__)


def table_section(model: type[Base]) -> Iterator[str]:
    """Yield the lines that describe a table."""
    here = table_of(model)
    yield from (f"### `{here.name}`", "", f"Model `{model.__name__}`. {prose(model.__doc__)}", "")
    flags = list(_flags(model))
    if flags:
        yield from (f"*{' · '.join(flags)}*", "")
    yield from table(_HEADER, _rows(model))
    yield ""
    yield f"- **Primary key**: {_primary_key(here)}"
    yield from _list("Unique", _unique_keys(here))
    yield from _list("Refers to", _references_by_several(here))
    yield from _list("Referred to by", _referring(here))
    yield from _list("Indexes", _indexes(here))
    yield from _list("Rules over several columns", _rules(model))
    yield from _list("Relationships", _relationships(model))


def foreign_keys(here: Table) -> list[ForeignKeyConstraint]:
    """Return the table's foreign keys in the order of their columns."""
    places = {column.name: place for place, column in enumerate(here.columns)}
    return sorted(here.foreign_key_constraints, key=lambda key: places[key.column_keys[0]])


def _list(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = list(items)
    if lines:
        yield f"- **{title}**:"
        yield from (f"  - {line}" for line in lines)


def _flags(model: type[Base]) -> Iterator[str]:
    columns = table_of(model).columns
    if model.__tenant_column__ in columns:
        yield f"confined to a tenant by {code(model.__tenant_column__)}"
    if "deleted_at" in columns:
        yield "deleted softly"
    if model.__audited__:
        yield "audited"
    if "created_by" in columns:
        yield "has authors"
    if "updated_at" in columns:
        yield "keeps its times"


def _rows(model: type[Base]) -> Iterator[tuple[str, ...]]:
    for column in table_of(model).columns:
        yield (
            code(column.name),
            code(type_on(column, POSTGRESQL)),
            code(type_on(column, SQLITE)),
            "yes" if column.nullable else "",
            default_of(column),
            meaning_of(model, column),
        )


def _primary_key(here: Table) -> str:
    key = codes(column.name for column in here.primary_key)
    if any(is_numbered(column) for column in here.primary_key):
        never = ", never twice" if here.kwargs.get("sqlite_autoincrement") else ""
        return f"{key}; numbered by the database{never}"
    return key


def _unique_keys(here: Table) -> Iterator[str]:
    keys = [key for key in here.constraints if isinstance(key, UniqueConstraint)]
    for key in sorted(keys, key=lambda key: str(key.name)):
        yield f"{code(key.name)}: {codes(column.name for column in key.columns)}"
    for index in _sorted_indexes(here, unique=True):
        yield _index(index)


def _indexes(here: Table) -> Iterator[str]:
    return (_index(index) for index in _sorted_indexes(here, unique=False))


def _sorted_indexes(here: Table, *, unique: bool) -> list[Index]:
    found = [index for index in here.indexes if bool(index.unique) is unique]
    return sorted(found, key=lambda index: str(index.name))


def _index(index: Index) -> str:
    condition = cast("object", index.dialect_kwargs.get("postgresql_where"))
    only = "" if condition is None else f", only where {code(_bare(index, str(condition)))}"
    return f"{code(index.name)}: {codes(column.name for column in index.columns)}{only}"


def _bare(index: Index, condition: str) -> str:
    """A condition without its own table's name."""
    name = "" if index.table is None else f"{index.table.name}."
    return condition.replace(name, "") if name else condition


def _references_by_several(here: Table) -> Iterator[str]:
    """Name the foreign keys that no single column's row can tell."""
    for key in foreign_keys(here):
        if len(key.columns) > 1:
            names = ", ".join(element.column.name for element in key.elements)
            target = code(f"{key.referred_table.name} ({names})")
            yield f"{codes(key.column_keys)} → {target}, on delete {key.ondelete}"


def _referring(here: Table) -> Iterator[str]:
    """Name the keys that point here, by what becomes of the rows behind them."""
    by_rule: dict[str, list[str]] = {}
    for other in here.metadata.sorted_tables:
        for key in foreign_keys(other):
            if key.referred_table is here:
                by_rule.setdefault(str(key.ondelete), []).append(_short(other, key))
    for rule in sorted(by_rule):
        yield f"{rule}: {', '.join(sorted(by_rule[rule]))}"


def _short(other: Table, key: ForeignKeyConstraint) -> str:
    names = key.column_keys
    return code(
        f"{other.name}.{names[0]}" if len(names) == 1 else f"{other.name} ({', '.join(names)})"
    )


def _rules(model: type[Base]) -> Iterator[str]:
    for rule in rules_over_several(model):
        yield f"{code(f'ck_{model.__tablename__}_{rule.name}')}: {in_words(rule)}"


def _relationships(model: type[Base]) -> Iterator[str]:
    ends: dict[bool, list[str]] = {False: [], True: []}
    for relationship in sorted(model.__mapper__.relationships, key=lambda each: each.key):
        ends[bool(relationship.uselist)].append(_end(relationship))
    for title, is_list in (("one", False), ("lists", True)):
        if ends[is_list]:
            yield f"{title}: {', '.join(ends[is_list])}"


def _end(relationship: RelationshipProperty[object]) -> str:
    target = code(relationship.mapper.class_.__name__)
    if relationship.direction is RelationshipDirection.MANYTOMANY:
        target += f" over {code(getattr(relationship.secondary, 'name', ''))}"
    if relationship.cascade.delete:
        target += ", deleted with it"
    if relationship.viewonly:
        target += ", for reading only"
    return f"{code(relationship.key)} ({target})"
