"""Links between the parts of a page: what a docstring names in code leads to where it is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CODE = re.compile(r"`([\w.]+)`")


def anchor_of(heading: str) -> str:
    """Return what GitHub makes of a heading."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def link(heading: str, words: str | None = None) -> str:
    """Return a link to a heading of the same page, in code unless it has words of its own."""
    return f"[{words or f'`{heading}`'}](#{anchor_of(heading)})"


class Links:
    """Knows a page's headings.

    Args:
        headings: those that stand for a class or a method of one, such as ``Repository.list``.
        elsewhere: headings that tell of something under another name, by that name.
    """

    def __init__(self, headings: Iterable[str], elsewhere: dict[str, str]) -> None:
        self._headings = set(headings)
        self._elsewhere = elsewhere

    def within(self, text: str, owner: str = "") -> str:
        """Return the text with links for what has a heading, methods of the owner by bare name."""

        def replace(found: re.Match[str]) -> str:
            name = found[1]
            if name in self._elsewhere:
                return link(self._elsewhere[name], self._elsewhere[name])
            for heading in (name, f"{owner}.{name}", f"Repository.{name}"):
                if heading in self._headings:
                    return link(heading, f"`{name}`")
            return found[0]

        return _CODE.sub(replace, text)

    def named_in(self, types: str) -> Iterator[str]:
        """Yield a link to each class that a type names."""
        for name in dict.fromkeys(re.findall(r"\w+", types)):
            if name in self._headings:
                yield link(name)
