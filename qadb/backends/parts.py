"""What an engine's adapter consists of, each part imported when it is first asked for.

A command asks for few of them, and all together they would be a sixth of what a short one takes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar, cast, overload

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

P = TypeVar("P")


class HasParts(Protocol):
    """What parts are of.

    Attributes:
        name: of the package beside this module that has theirs.
        missing: the names of those that it has not.
    """

    name: str
    missing: AbstractSet[str]


class Part(Generic[P]):
    """A module that meets a protocol; None where the engine has none.

    Attributes:
        name: what the backend calls it.
        module: the module's name in the engine's package.
    """

    name: str

    def __init__(self, module: str) -> None:
        self.module = module

    def __set_name__(self, owner: type[HasParts], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, backend: None, owner: type[HasParts]) -> Self: ...

    @overload
    def __get__(self, backend: HasParts, owner: type[HasParts]) -> P: ...

    def __get__(self, backend: HasParts | None, owner: type[HasParts]) -> Self | P:
        if backend is None:
            return self
        found = None
        if self.name not in backend.missing:
            found = import_module(f"{__package__}.{backend.name}.{self.module}")
        vars(backend)[self.name] = found  # this is asked no more
        return cast("P", found)
