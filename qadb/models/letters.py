"""What is a word to both engines: the letters it is made of, and which are the same letter.

SQLite's tokenizer unicode61 can't be changed, so its view of each character, in `letters.txt`, is
everyone's. PostgreSQL's parser would keep ``src/foo.py`` and ``e-mail`` whole, and goes by the
server's locale. A test compares the file with the tokenizer.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SURROGATES = range(0xD800, 0xE000)  # no characters


@dataclass(frozen=True, slots=True)
class Letters:
    """Characters by what they mean in a word; those not named stand for themselves.

    Attributes:
        separators: ranges, both ends included, of those that end a word.
        marks: characters that vanish.
        folded: letters, and in the same place in `plain` what each is turned into.
    """

    separators: tuple[tuple[int, int], ...]
    marks: str
    folded: str
    plain: str


@cache
def read_letters() -> Letters:
    """Read the file."""
    lines = Path(__file__).with_name("letters.txt").read_text(encoding="ascii").splitlines()
    parts: dict[str, list[str]] = {"separators": [], "marks": [], "letters": []}
    part: list[str] = []
    for line in lines:
        if line in parts:
            part = parts[line]
        elif not line.startswith("#"):
            part += line.split()
    pairs = [pair for run in parts["letters"] for pair in _pairs(run)]
    return Letters(
        separators=tuple(_range(text) for text in parts["separators"]),
        marks="".join(chr(code) for text in parts["marks"] for code in _codes(text)),
        folded="".join(letter for letter, _ in pairs),
        plain="".join(letter for _, letter in pairs),
    )


def words_of(text: str) -> list[str]:
    """Return the words of a text as both engines enter them into their index, each once.

    Letters with accents may come composed or not.
    """
    folded = unicodedata.normalize("NFC", text).translate(_table())
    return list(dict.fromkeys(word for word in folded.split(" ") if word))


@cache
def _table() -> dict[int, str | None]:
    letters = read_letters()
    table: dict[int, str | None] = dict.fromkeys(_SURROGATES, " ")
    for first, last in letters.separators:
        table.update(dict.fromkeys(range(first, last + 1), " "))
    table.update(dict.fromkeys(map(ord, letters.marks)))
    table.update(zip(map(ord, letters.folded), letters.plain, strict=True))
    return table


def _pairs(run: str) -> Iterator[tuple[str, str]]:
    """The letters of ``41-5a:61``: A to Z into a to z."""
    codes, _, target = run.partition(":")
    for place, code in enumerate(_codes(codes)):
        yield chr(code), chr(int(target, 16) + place)


def _codes(text: str) -> range:
    first, last = _range(text)
    return range(first, last + 1)


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first, 16), int(last or first, 16)
