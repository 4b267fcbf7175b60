"""Attributes of JUnit elements: blank ones count as absent, names lose prefix and case."""

from __future__ import annotations

from typing import Final

Attributes = dict[str, str]

_MAX_LINE_DIGITS: Final = 9


def local_name(name: str) -> str:
    """A tag's or an attribute's name without its prefix, in lower case."""
    return name.rpartition(":")[2].lower()


def with_plain_names(attributes: Attributes) -> Attributes:
    """The same attributes under their local names."""
    return {local_name(name): value for name, value in attributes.items()}


def text_or_none(value: str | None) -> str | None:
    """The value exactly as it is, unless it is white space only."""
    return value if value and not value.isspace() else None


def line_or_none(value: str | None) -> int | None:
    """A line number, None when it is none."""
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return int(value) if len(value) <= _MAX_LINE_DIGITS else None
