"""Splits SQL that SQLAlchemy compiled into tokens, placeholders with the names of their binds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["word", "quoted", "bind", "comment", "mark"]

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*")
    |__\[POSTCOMPILE_(?P<late>\w+)[^\]]*\]
    |%\((?P<named>\w+)\)s
    |(?P<comment>--|/\*)
    |(?P<word>[^\W\d]\w*)
    |(?P<number>\d[\w.]*)
    |(?P<mark>\S)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``text`` is a name in lower case without quotes, or a bind's own name."""

    kind: Kind
    text: str


END = Token("mark", "")


def tokenize(sql: str, positional_binds: list[str] | None) -> Iterator[Token]:
    """Yield the tokens of a statement as compiled, before IN lists are written out.

    Args:
        sql: the compiled text.
        positional_binds: names of the binds that stand as ``?``, in order; None when they stand
            by name.
    """
    positional = iter(positional_binds or ())
    for found in _TOKEN.finditer(sql):
        kind, text = found.lastgroup, found.group()
        if kind == "late" and positional_binds is not None:
            next(positional, None)
        if kind in {"late", "named"}:
            yield Token("bind", found[kind])
        elif kind == "mark" and text == "?" and positional_binds is not None:
            yield Token("bind", next(positional, ""))
        elif kind == "quoted":
            yield Token("quoted", text[1:-1].replace('""', '"').lower())
        elif kind == "word":
            yield Token("word", text.lower())
        else:
            yield Token("comment" if kind == "comment" else "mark", text)
