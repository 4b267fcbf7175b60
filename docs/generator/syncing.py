"""How a sync is called and what payload it reads, told once for all kinds of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docs.generator.docstrings import read_docstring
from docs.generator.markdown import prose, table
from docs.generator.methods import entries
from qadb.repositories.syncing import payloads
from qadb.repositories.syncing.base import Sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docs.generator.links import Links

_RULER = re.compile(r"^(=+)( +)=+$", re.MULTILINE)


def sync_entries(links: Links) -> Iterator[str]:
    """Yield what every sync takes, returns and raises."""
    return entries(Sync.sync, Sync.__name__, links)


def payload_text() -> Iterator[str]:
    """Yield what the module of the payloads says of them, without what the module is for."""
    _, _, *paragraphs = read_docstring(payloads).text.split("\n\n")
    for paragraph in paragraphs:
        yield ""
        if paragraph.startswith("=="):
            yield from _table(payloads.__doc__ or "")
        else:
            yield paragraph


def _table(text: str) -> Iterator[str]:
    """The simple table of a docstring: rulers of ``=``, cells that go on in the next line."""
    ruler = next(_RULER.finditer(text))
    start = len(ruler[1]) + len(ruler[2])
    header, body = _RULER.split(text)[3::3][:2]
    rows: list[tuple[str, str]] = []
    for line in body.strip("\n").splitlines():
        first, second = line[:start].strip(), line[start:].strip()
        rows += [(first, second)] if first else []
        if not first:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {second}")
    title, meaning = (part.strip() for part in (header.strip("\n")[:start], header[start:]))
    return table((title, prose(meaning)), ((first, prose(second)) for first, second in rows))
