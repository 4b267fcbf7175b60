"""Rows as COPY's text format (https://www.postgresql.org/docs/current/sql-copy.html)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING

from psycopg2.extensions import Binary

from qadb.backends.failures import refused_value

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

ROWS_AT_ONCE = 64

_NULL = "\\N"
_PLAIN = frozenset({str, int, float, Decimal, datetime})  # most values: asked for first


def format_row(row: Sequence[object]) -> str:
    """One line of COPY's input, its line feed included."""
    texts = [  # one expression: loading spends much of its time here
        _NULL
        if value is None
        else escape(value)
        if type(value) is str
        else str(value)
        if type(value) is int
        else escape(to_text(value))
        for value in row
    ]
    return "\t".join(texts) + "\n"


def escape(text: str) -> str:
    """Escape what COPY would take for structure; most texts hold nothing of it."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text:
        text = text.replace("\n", "\\n")
    if "\r" in text:
        text = text.replace("\r", "\\r")
    if "\t" in text:
        text = text.replace("\t", "\\t")
    return text


def to_text(value: object) -> str:
    """A value as its type's input function reads it; lists become array literals."""
    if type(value) in _PLAIN:
        return str(value)
    if isinstance(value, (list, tuple)):
        return format_array(value)
    if isinstance(value, Binary):
        value = value.adapted
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"\\x{value.hex()}"
    return str(value)


def format_array(items: Sequence[object]) -> str:
    """A list as an array literal, each item quoted."""
    return "{" + ",".join(map(_format_item, items)) + "}"


def _format_item(item: object) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, (list, tuple)):
        return format_array(item)
    text = to_text(item).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


class CopyStream:
    """A readable over rows that psycopg2 drains, a few rows at once.

    Attributes:
        read: returns the next rows, whatever size is asked for; psycopg2 takes what it gets.
        error: what ended the reading early. psycopg2 makes a text of it, so whoever copies must
            raise it again: it may be Ctrl-C.
    """

    def __init__(self, rows: Iterable[Sequence[object]]) -> None:
        self.error: BaseException | None = None
        # Ctrl-C comes as `read` is entered, before any `try` of a function: a generator that has
        # begun is inside its own by then.
        reading = self._reading(map(format_row, rows))
        next(reading)
        self.read: Callable[[int], bytes] = reading.send

    def _reading(self, lines: Iterator[str]) -> Generator[bytes, int, None]:
        text = b""
        try:
            while True:
                yield text
                text = self._encode("".join(islice(lines, ROWS_AT_ONCE)))
        except BaseException as error:
            self.error = error
            raise

    @staticmethod
    def _encode(text: str) -> bytes:
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise refused_value(error) from error
