"""A database's catalog as comparable text, the same shape for every engine.

Owns the comparison. Reading a live catalog is each engine's work. What a catalog can show counts as
a difference, save the order of columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every object of a database, by a name such as ``table users column email``.

    Attributes:
        objects: the object's name to its definition, both normalised by the engine's reader.
    """

    objects: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """An object that two catalogs define differently; None where one lacks it."""

    object: str
    expected: str | None
    found: str | None


def diff(expected: Catalog, found: Catalog) -> tuple[Difference, ...]:
    """Compare two catalogs of one engine; the differences come ordered by object."""
    names = sorted({*expected.objects, *found.objects})
    pairs = ((name, expected.objects.get(name), found.objects.get(name)) for name in names)
    return tuple(Difference(name, left, right) for name, left, right in pairs if left != right)
