"""The dataclasses that repositories return and take, field by field."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import qadb.repositories
from docs.generator.docstrings import read_docstring
from docs.generator.links import link
from docs.generator.markdown import code, lower_first, table
from docs.generator.signatures import returned, short_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from docs.generator.links import Links

    Methods = Mapping[str, Callable[..., object]]


def dataclasses_of(methods: Methods) -> dict[str, type]:
    """Return what the methods' signatures name, and what the fields of those name, by name."""
    known = _all_dataclasses()
    found: dict[str, type] = {}
    waiting = [name for each in methods.values() for name in _names(_types_in(each))]
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found[name] = known[name]
            waiting += _names(kind for _, kind, _ in _rows(known[name]))
    return dict(sorted(found.items()))


def dataclass_section(
    found: type, methods: Methods, dataclasses: Iterable[type], links: Links
) -> Iterator[str]:
    """Yield the lines for one: what it is, where it comes from, its fields and properties.

    Args:
        found: the dataclass.
        methods: all that the page has, by headings.
        dataclasses: all that the page has.
        links: the page's.
    """
    name = found.__name__
    yield from (f"### `{name}`", "", links.within(read_docstring(found).text), "")
    yield from (" ".join([*_origins(name, methods, dataclasses), f"In `{found.__module__}`."]), "")
    rows = (
        (code(field), code(kind), links.within(text).rstrip("."))
        for field, kind, text in _rows(found)
    )
    yield from table(("field", "type", ""), rows)


def _origins(name: str, methods: Methods, dataclasses: Iterable[type]) -> Iterator[str]:
    """Which methods return it, which take it, and of what else it is a part."""
    gives = [each for each, method in methods.items() if name in _names([returned(method)])]
    takes = [each for each, method in methods.items() if name in _names(_types_in(method))]
    wholes = [
        each.__name__ for each in dataclasses if name in _names(kind for _, kind, _ in _rows(each))
    ]
    taken = [each for each in takes if each not in gives]
    for words, headings in (("Returned by", gives), ("Taken by", taken), ("Part of", wholes)):
        if headings:
            yield f"{words} {', '.join(link(each) for each in headings)}."


def _all_dataclasses() -> dict[str, type]:
    package = qadb.repositories
    found = walk_packages(package.__path__, prefix=f"{package.__name__}.")
    modules = [import_module(module.name) for module in found]
    return {
        name: each
        for module in modules
        for name, each in inspect.getmembers(module, inspect.isclass)
        if is_dataclass(each) and each.__module__ == module.__name__
    }


def _rows(found: type) -> Iterator[tuple[str, str, str]]:
    """Each field and then each property: its name, its type, what is said of it."""
    lineage = [each for each in reversed(found.__mro__) if each is not object]
    said = {k: v for each in lineage for k, v in read_docstring(each).attributes.items()}
    for field in fields(found):
        kind = str(field.type)
        for each in lineage:
            kind = short_type(kind, each.__module__)
        yield field.name, kind, said.get(field.name, "")
    for each in lineage:
        for name, member in vars(each).items():
            if isinstance(member, property) and member.fget and not name.startswith("_"):
                summary = lower_first(read_docstring(member).summary)
                yield name, returned(member.fget), said.get(name) or summary


def _types_in(method: Callable[..., object]) -> Iterator[str]:
    whole = inspect.signature(method)
    yield str(whole.return_annotation)
    yield from (str(one.annotation) for one in whole.parameters.values())


def _names(types: Iterable[str]) -> list[str]:
    return [name for each in types for name in re.findall(r"\w+", each)]
