"""Standard streams: writing to them whatever is at their other end.

Owns what happens when a reader goes away, a disk is full or an encoding lacks a character, and
the question whether a stream is a terminal that shows colour. Streams are looked up when they are
used, because tests, runners and progress bars replace them.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Literal, TextIO

StreamName = Literal["stdout", "stderr"]
NAMES: tuple[StreamName, ...] = ("stdout", "stderr")


def stream(name: StreamName) -> TextIO | None:
    """Return the stream of the moment; None when the process was started without it."""
    found: TextIO | None = getattr(sys, name)
    return found


def is_terminal(name: StreamName) -> bool:
    """Tell whether a person looks at the stream."""
    found = stream(name)
    try:
        return found is not None and found.isatty()
    except ValueError:  # closed
        return False


def can_move(name: StreamName) -> bool:
    """Tell whether the stream is a terminal on which a line can be drawn again."""
    return is_terminal(name) and os.environ.get("TERM") not in (None, "", "dumb")


def shows_colour(name: StreamName) -> bool:
    """Tell whether the stream is such a terminal and nobody has asked for plain text."""
    return can_move(name) and not os.environ.get("NO_COLOR")


def encoding(name: StreamName) -> str:
    """Return the encoding that the stream writes."""
    return getattr(stream(name), "encoding", None) or "utf-8"


def write(name: StreamName, text: str) -> None:
    """Write text and flush it; a reader that has gone away is no failure.

    Characters that the stream's encoding lacks are written as escapes.

    Raises:
        OSError: the stream could not be written for another reason (a full disk).
    """
    found = stream(name)
    if found is None:
        return
    try:
        found.write(_encodable(text, encoding(name)))
        found.flush()
    except BrokenPipeError:
        silence(name)


def flush(name: StreamName) -> None:
    """Flush the stream, as the interpreter would at its end, with `write`'s rules."""
    found = stream(name)
    if found is None or found.closed:
        return
    try:
        found.flush()
    except BrokenPipeError:
        silence(name)


def silence(name: StreamName) -> None:
    """Point the stream to nowhere, so that the interpreter's own last flush can't fail either."""
    found = stream(name)
    if found is None:
        return
    with suppress(OSError, ValueError):  # replaced by an object without a file, or closed
        target = found.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, target)
        os.close(nowhere)


def _encodable(text: str, wanted: str) -> str:
    try:
        text.encode(wanted)
    except UnicodeEncodeError:
        return text.encode(wanted, "backslashreplace").decode(wanted)
    return text
