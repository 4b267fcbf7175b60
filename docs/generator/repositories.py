"""The page of the repositories: what all share, then each room's, then their dataclasses."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import qadb.repositories
from docs.generator.arguments import arguments_table
from docs.generator.docstrings import read_docstring
from docs.generator.links import Links, link
from docs.generator.markdown import NOTICE, code, codes, table
from docs.generator.methods import (
    constructor_section,
    method_section,
    own_methods,
    shared_methods,
)
from docs.generator.models import rooms
from docs.generator.operators import operators_table
from docs.generator.results import dataclass_section, dataclasses_of
from docs.generator.syncing import payload_text, sync_entries
from qadb.models import Base
from qadb.repositories import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

ACROSS = "Across rooms"

_INTRODUCTION = """\
# Repositories

What Python code reads and writes the database with. A repository serves the rows of one model in a
session, and sees what the session sees: one tenant's rows, unless it was opened for all. What it
writes is flushed at once; the end of the session's block commits, an error there rolls back.

```python
from qadb.database import Database
from qadb.repositories import TestResultRepository, TestRunRepository
from qadb.settings import load_settings

with Database.from_settings(load_settings()) as database:
    with database.session(tenant="default", read_only=True) as session:
        runs = TestRunRepository(session)
        for run in runs.list(status="completed", order_by="-started_at", limit=10):
            print(run.run_key, run.result, run.passed, run.total)
        for test in TestResultRepository(session).flaky(days=14):
            print(test.name, test.flips, test.flip_rate)
```

All are imported from `qadb.repositories`. Where an argument is `TestRun | int`, give the row or its
key. Times are aware, rates are fractions from 0 to 1, units are part of names: `duration_ms`. The
models' columns and relationships are in [models.md](models.md), the errors in
[commands.md](commands.md#error-codes), sessions in the [README](../README.md#python).
"""

_SHARED = """\
## What all of them do

`Row` stands for the model, such as `TestRun`, and `key` for a primary key: a tuple where that has
several columns. Models without a repository of their own are served by the general one, as
`Repository(session, Order)`: {others}.
"""

_FILTERS = """\
### Filters

A keyword is a column's name, or the name, two underscores and an operator. All have to hold:
`runs.list(status="completed", total__gte=100)`. What keywords can't say, SQLAlchemy conditions in
front of them can: `runs.list(TestRun.total > TestRun.passed, branch="main")`.
"""

_ARGUMENTS = """\
### Arguments that many take

They mean the same everywhere, and stand in the signatures without their types.
"""

_SYNCING = """\
## Syncing

Every `sync_…` method makes one product's rows match what another system lists: all of it or
nothing.
"""

_DATACLASSES = """\
## Dataclasses

What methods return where it is not a row, and take. All are frozen.
"""

_ELSEWHERE = {
    "qadb.repositories.generic.filters": "Filters",
    "qadb.repositories.syncing.base.Sync.sync": "Syncing",
    "qadb.repositories.syncing.payloads": "Payloads",
}


def repositories() -> dict[str, list[type]]:
    """Return the public ones by room, those of no room last."""
    names = [name for name in qadb.repositories.__all__ if name != Repository.__name__]
    found: dict[str, list[type]] = {room: [] for room in (*rooms(), ACROSS)}
    for name in names:
        each: type = getattr(qadb.repositories, name)
        model = model_of(each)
        found[model.__module__.rpartition(".")[2] if model else ACROSS].append(each)
    return {room: _in_order(those, room) for room, those in found.items() if those}


def _in_order(those: list[type], room: str) -> list[type]:
    """As the room has the models."""
    places: dict[object, int] = {model: place for place, model in enumerate(rooms().get(room, ()))}
    return sorted(those, key=lambda each: places.get(model_of(each), 0))


def model_of(repository: type) -> type[Base] | None:
    """Return whose rows it serves; None for what serves no single model."""
    model: object = getattr(repository, "model", None)
    return model if inspect.isclass(model) and issubclass(model, Base) else None


def repositories_page() -> str:
    """Return the page."""
    return "\n".join(_Page().lines()).rstrip() + "\n"


class _Page:
    """Knows what has a heading, so that one part can lead to another."""

    def __init__(self) -> None:
        self._rooms = repositories()
        self._all = [each for those in self._rooms.values() for each in those]
        own = [own_methods(each) for each in self._all]
        self._methods = {k: v for each in (shared_methods(), *own) for k, v in each.items()}
        self._dataclasses = dataclasses_of(self._methods)
        names = [each.__name__ for each in self._all]
        self._links = Links([*names, *self._methods, *self._dataclasses], _ELSEWHERE)

    def lines(self) -> Iterator[str]:
        yield from (NOTICE, "", _INTRODUCTION)
        yield from self._contents()
        yield from ("", *self._shared())
        for room, those in self._rooms.items():
            yield from (f"## {room}", "")
            for each in those:
                yield from self._repository(each)
        yield from (_SYNCING, *sync_entries(self._links), "", "### Payloads")
        yield from (*payload_text(), "", _DATACLASSES)
        known = self._dataclasses.values()
        for found in known:
            yield from (*dataclass_section(found, self._methods, known, self._links), "")

    def _contents(self) -> Iterator[str]:
        rows = (
            (link(each.__name__), _model_link(each), read_docstring(each).summary)
            for each in self._all
        )
        return table(("repository", "rows of", ""), rows)

    def _shared(self) -> Iterator[str]:
        served = {model_of(each) for each in self._all}
        models = [model for those in rooms().values() for model in those]
        others = codes(model.__name__ for model in models if model not in served)
        yield _SHARED.format(others=others)
        yield from (_FILTERS, *operators_table(), "")
        yield from (_ARGUMENTS, *arguments_table(), "", "### Reading and writing", "")
        for heading, method in shared_methods().items():
            yield from method_section(heading, method, self._links)

    def _repository(self, found: type) -> Iterator[str]:
        name = found.__name__
        yield from (f"### `{name}`", "")
        yield from (self._links.within(read_docstring(found).text, name), "")
        if model_of(found):
            yield from (f"Rows of {_model_link(found)}.", "")
        else:
            yield from constructor_section(found, self._links)
        for heading, method in own_methods(found).items():
            yield from method_section(heading, method, self._links)


def _model_link(repository: type) -> str:
    model = model_of(repository)
    return f"[{code(model.__name__)}](models.md#{model.__tablename__})" if model else ""
