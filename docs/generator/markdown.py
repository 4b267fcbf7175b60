"""Markdown: tables, code and lists, as GitHub reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NOTICE = (
    "<!-- Written by docs/generate.py from the code. Change the code and run"
    " `python docs/generate.py`. -->"
)


def code(text: object) -> str:
    """Return text as code."""
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    """Return several as code, separated by commas."""
    return ", ".join(code(text) for text in texts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; bars inside a cell are escaped."""
    yield _line(header)
    yield _line(["---"] * len(header))
    for row in rows:
        yield _line(row)


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return "".join(f"| {cell} " if cell else "| " for cell in escaped) + "|"


def lower_first(text: str) -> str:
    """Return text that goes on in a sentence."""
    return text[:1].lower() + text[1:]


def prose(docstring: str | None) -> str:
    """Return a docstring as paragraphs of Markdown, each on one line."""
    paragraphs = (docstring or "").replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).strip()
