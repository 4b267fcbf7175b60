"""Methods of repositories: which there are, and one of them as a section."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Generic, TypeAlias

from docs.generator.arguments import COMMON, says_more
from docs.generator.docstrings import read_docstring
from docs.generator.markdown import code, lower_first
from docs.generator.signatures import STARS, returned, short_type, signature
from qadb.repositories import Repository
from qadb.repositories.generic.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from docs.generator.links import Links

    Method: TypeAlias = Callable[..., object]
    Methods: TypeAlias = Mapping[str, Method]


def shared_methods() -> dict[str, Method]:
    """Return what every repository can do, reading first, by headings."""
    found = {**_methods_in(Reader), **_methods_in(Repository)}
    return {f"{Repository.__name__}.{name}": method for name, method in found.items()}


def own_methods(repository: type) -> dict[str, Method]:
    """Return what a repository can do beyond that, by headings."""
    shared = (Repository, Reader, Generic, object)
    lineage = [each for each in reversed(repository.__mro__) if each not in shared]
    found = {name: method for each in lineage for name, method in _methods_in(each).items()}
    return {f"{repository.__name__}.{name}": method for name, method in found.items()}


def method_section(heading: str, method: Method, links: Links) -> Iterator[str]:
    """Yield the lines for a method: how it is called, what it does, what it takes and raises."""
    owner, _, name = heading.partition(".")
    yield from (f"#### `{heading}`", "")
    yield from code_block(signature(name, method, untyped=COMMON))
    yield from (links.within(read_docstring(method).text, owner), "")
    said = list(entries(method, owner, links))
    yield from (*said, "") if said else ()


def constructor_section(repository: type, links: Links) -> Iterator[str]:
    """Yield how a repository is made that takes more than a session."""
    yield from code_block(signature(repository.__name__, repository))
    yield from (*entries(repository, repository.__name__, links), "")


def code_block(text: str) -> Iterator[str]:
    """Yield Python, and a blank line behind it."""
    yield from ("```python", text, "```", "")


def entries(method: Method, owner: str, links: Links) -> Iterator[str]:
    """Yield what is said of each argument, of the result, and of each error."""
    told = read_docstring(method)
    parameters = inspect.signature(method).parameters
    for name, text in told.arguments.items():
        if says_more(name, text):
            kinds = links.named_in(short_type(parameters[name].annotation, method.__module__))
            kind = "".join(f" ({each})" for each in kinds)
            stars = STARS.get(parameters[name].kind, "")
            yield f"- {code(f'{stars}{name}')}{kind}: {links.within(text, owner)}"
    if not inspect.isclass(method):
        results = ", ".join(links.named_in(returned(method)))
        text = lower_first(links.within(told.returns, owner))
        if results or text:
            yield f"- returns{f' {results}' if results else ''}{f': {text}' if text else ''}"
    for error, text in told.raises.items():
        yield f"- raises {code(error)}: {links.within(text, owner)}"


def _methods_in(found: type) -> dict[str, Method]:
    return {
        name: member
        for name, member in vars(found).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
