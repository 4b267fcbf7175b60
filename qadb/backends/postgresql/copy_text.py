"""Rows as COPY's text format (https://www.postgresql.org/docs/current/sql-copy.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_ARRAY_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


def format_value(value: object) -> str:
    """One value as COPY reads it; lists become array literals."""
    if value is None:
        return _NULL
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if value is True:
        return "t"
    if value is False:
        return "f"
    if isinstance(value, (list, tuple)):
        return format_array(value).translate(_ESCAPES)
    return str(value)


def format_array(items: Sequence[object]) -> str:
    """A list as an array literal, each item quoted."""
    quoted = (
        "NULL" if item is None else f'"{str(item).translate(_ARRAY_ESCAPES)}"' for item in items
    )
    return "{" + ",".join(quoted) + "}"


class CopyStream:
    """A readable over rows that psycopg2 drains; holds one piece at a time."""

    def __init__(self, rows: Iterable[Sequence[object]]) -> None:
        self._lines: Iterator[str] = (
            "\t".join([format_value(value) for value in row]) + "\n" for row in rows
        )
        self._rest = b""

    def read(self, size: int = 8192) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        pieces = [self._rest]
        length = len(self._rest)
        while length < size:
            line = next(self._lines, None)
            if line is None:
                break
            encoded = line.encode()
            pieces.append(encoded)
            length += len(encoded)
        data = b"".join(pieces)
        self._rest = data[size:]
        return data[:size]
