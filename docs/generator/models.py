"""The page of the models: the rooms, then every table of each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sqlalchemy.orm import configure_mappers

from docs.generator.diagrams import room_diagram, rooms_diagram
from docs.generator.markdown import NOTICE, codes, prose
from docs.generator.tables import table_section
from qadb.models import Base, schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# From what others refer to, to what refers to others; rooms that are not named here go last.
_ORDER = (
    "identity",
    "catalog",
    "products",
    "test_cases",
    "test_case_features",
    "test_runs",
    "test_results",
    "bugs",
    "ingestion",
    "quality",
    "performance",
    "agents",
    "assistant",
)

_INTRODUCTION = """\
# Models

Every table, as the models in `qadb/models/` declare it and the revisions in `migrations/` make it.
A room is a module there. Why things are as they are is told in [decisions.md](decisions.md).

**Types.** Where the engines differ: a time is `TIMESTAMPTZ`, and on SQLite text of the fixed form
`2026-11-22T07:15:00.123456Z`; an exact decimal is `NUMERIC`, and on SQLite an integer of its
smallest unit; a UUID is 32 hexadecimal digits there, a list of text a JSON list.

**Rules** are CHECKs in the database, named `ck_<table>_<column>_<what>`, and a `ValueError` on the
models before it. They stand at their column, those over several columns below the table. NULL
passes all of them. SQLite's loose types get further CHECKs, which do there what PostgreSQL's types
do by themselves: `…_length`, `…_utc`, `…_exact`, `…_boolean`, `…_json`, `…_list`, `…_uuid`,
`…_bytes`.

**Flags.** *Confined to a tenant*: sessions see and write one tenant's rows; on PostgreSQL the
policy `tenant_isolation` does the same for ordinary roles. *Deleted softly*: `deleted_at` is set,
repositories hide the row, unique keys pass over it. *Audited*: every change is written to
`audit_logs` by trigger. *Has authors*: `created_by` and `updated_by`. *Keeps its times*: the
database sets `created_at`, and a trigger keeps `updated_at`, raw SQL included.
"""

_ROOMS = """\
## Rooms

An arrow goes from a room to one that it refers to. What nearly all have in common is left out of
the diagrams: the keys to `tenants`, and those of authors to `users`.
"""

_BESIDE = """\
## Beside the models

qadb's own bookkeeping is in {own}. What one engine needs for audit and full text is made by the
same revisions: {unmapped}.
"""


def rooms() -> dict[str, list[type[Base]]]:
    """Return the models by module, in the order of reading."""
    found: dict[str, list[type[Base]]] = {}
    for mapper in Base.registry.mappers:
        found.setdefault(mapper.class_.__module__.rpartition(".")[2], []).append(mapper.class_)
    places = {name: place for place, name in enumerate(_ORDER)}
    names = sorted(found, key=lambda name: (places.get(name, len(places)), name))
    return {name: sorted(found[name], key=_line_of) for name in names}


def _line_of(model: type[Base]) -> int:
    """Models of a module come in the order in which it declares them."""
    return list(vars(sys.modules[model.__module__])).index(model.__name__)


def models_page() -> str:
    """Return the page."""
    configure_mappers()  # the other sides of relationships
    return "\n".join(_lines(rooms())).rstrip() + "\n"


def _lines(by_room: dict[str, list[type[Base]]]) -> Iterator[str]:
    yield from (NOTICE, "", _INTRODUCTION, _ROOMS)
    yield from rooms_diagram(by_room)
    for room, models in by_room.items():
        yield from ("", *_room(room, models))
    own, unmapped = codes(sorted(schema.own_tables)), codes(sorted(schema.unmapped))
    yield from ("", _BESIDE.format(own=own, unmapped=unmapped))


def _room(room: str, models: Sequence[type[Base]]) -> Iterator[str]:
    yield from (f"## {room}", "", prose(sys.modules[models[0].__module__].__doc__), "")
    yield from room_diagram(models)
    for model in models:
        yield from ("", *table_section(model))
