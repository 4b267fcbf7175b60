"""SQL as text, as far as reading a statement's head takes it: strings hidden, lists split."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HIDDEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$", re.DOTALL
)

WORD = r'(?:"(?:[^"]|"")+"|[\w$]+)'  # a name, or part of one
_NAME = r'"(?:[^"]|"")+"|[\w$.]+'
_RENAMES = re.compile(
    rf"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<old>{_NAME})\s+RENAME\s+TO\s+(?P<new>{_NAME})",
    re.IGNORECASE,
)


def mask(statement: str) -> str:
    """Return the statement without comments and with empty strings, its blanks at the ends gone."""
    return _HIDDEN.sub(lambda found: "''" if found[0][0] in "'$" else " ", statement).strip()


def split_top_level(text: str) -> Iterator[str]:
    """Split at the commas that stand in no brackets and in no quoted name."""
    depth = start = 0
    is_quoted = False
    for place, letter in enumerate(text):
        is_quoted ^= letter == '"'
        if not is_quoted:
            depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0 and not is_quoted:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def unquote(name: str) -> str:
    """Return a name's last part as the catalog has it."""
    last = str(re.findall(r'"(?:[^"]|"")+"|[^.]+', name)[-1])
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()


def read_rename(statement: str) -> tuple[str, str] | None:
    """Return a table's old and new name, where a statement renames one."""
    found = _RENAMES.match(mask(statement))
    return None if found is None else (unquote(found["old"]), unquote(found["new"]))


def one_line(statement: str, longest: int = 160) -> str:
    """Return a statement for people: on one line, cut where it is long."""
    text = " ".join(statement.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
