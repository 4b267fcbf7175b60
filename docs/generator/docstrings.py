"""Docstrings of Google's form, read into their parts."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docs.generator.markdown import prose

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):\n((?:(?: .*)?\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^    (\S+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring's parts as Markdown.

    Attributes:
        text: the paragraphs before the sections.
        arguments: what is said of each, by name; stars are left out.
        attributes: the same of a class's.
        raises: when each error is raised, by the error's name.
        returns: what comes back, where a section says so.
    """

    text: str
    arguments: Mapping[str, str]
    attributes: Mapping[str, str]
    raises: Mapping[str, str]
    returns: str

    @property
    def summary(self) -> str:
        """The first paragraph."""
        return self.text.split("\n\n", maxsplit=1)[0]


def read_docstring(documented: object) -> Docstring:
    """Read the docstring of a class, a function or a property."""
    whole = f"{inspect.getdoc(documented) or ''}\n"
    sections = dict(_SECTION.findall(whole))
    return Docstring(
        text=prose(_SECTION.sub("", whole)),
        arguments=_entries(sections.get("Args", "")),
        attributes=_entries(sections.get("Attributes", "")),
        raises=_entries(sections.get("Raises", "")),
        returns=prose(sections.get("Returns", "")),
    )


def _entries(section: str) -> dict[str, str]:
    return {name.lstrip("*"): prose(text) for name, text in _ENTRY.findall(section)}
