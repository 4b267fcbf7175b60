"""Mermaid diagrams: the rooms, and the tables of one room with what they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import UniqueConstraint

from docs.generator.columns import diagram_type
from docs.generator.tables import foreign_keys, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Column, Table

    from qadb.models import Base

# Every table has these: their lines would hide the others.
LEFT_OUT = frozenset({"tenant_id", "created_by", "updated_by"})


def rooms_diagram(rooms: Mapping[str, Sequence[type[Base]]]) -> Iterator[str]:
    """Yield a flowchart: each room with its tables, and an arrow to each room that it refers to."""
    room_of = {table_of(model).name: room for room, models in rooms.items() for model in models}
    arrows = dict.fromkeys(
        (room, room_of[parent])
        for room, models in rooms.items()
        for model in models
        for parent, _, _ in _references(table_of(model))
    )
    yield "```mermaid"
    yield "flowchart LR"
    for room, models in rooms.items():
        names = "<br/>".join(table_of(model).name for model in models)
        yield f'  {room}["<b>{room}</b><br/>{names}"]'
    for child, parent in arrows:
        if child != parent:
            yield f"  {child} --> {parent}"
    yield "```"


def room_diagram(models: Sequence[type[Base]]) -> Iterator[str]:
    """Yield an entity-relationship diagram: the room's tables with their columns, others bare."""
    yield "```mermaid"
    yield "erDiagram"
    for model in models:
        yield from _entity(table_of(model))
    for model in models:
        here = table_of(model)
        for parent, columns, is_optional in _references(here):
            end = "|o" if is_optional else "||"
            yield f'  {parent} {end}--o{{ {here.name} : "{", ".join(columns)}"'
    yield "```"


def _entity(here: Table) -> Iterator[str]:
    yield f"  {here.name} {{"
    for column in here.columns:
        marks = ", ".join(_marks(here, column))
        yield f"    {diagram_type(column)} {column.name}{f' {marks}' if marks else ''}"
    yield "  }"


def _marks(here: Table, column: Column[object]) -> Iterator[str]:
    if column.primary_key:
        yield "PK"
    if column.foreign_keys:
        yield "FK"
    unique = [c for c in here.constraints if isinstance(c, UniqueConstraint)]
    if any(list(key.columns) == [column] for key in unique):
        yield "UK"


def _references(here: Table) -> Iterator[tuple[str, list[str], bool]]:
    """Yield each table referred to, by which columns, and whether a row may do without."""
    found: dict[str, tuple[list[str], list[bool]]] = {}
    for key in foreign_keys(here):
        if LEFT_OUT.isdisjoint(key.column_keys):
            columns, optional = found.setdefault(key.referred_table.name, ([], []))
            columns += key.column_keys
            optional.append(any(column.nullable for column in key.columns))
    for parent, (columns, optional) in found.items():
        yield parent, columns, all(optional)
