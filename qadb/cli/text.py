"""Text that is safe to print: no control characters, and a known width on screen.

Values from report files, databases and file names are shown as they are, never obeyed: an escape
sequence in a test's name must not move the cursor, and a newline must not forge a line.
"""

from __future__ import annotations

import re
from unicodedata import combining, east_asian_width

# C0 and C1 controls, line and paragraph separators, bidirectional overrides and isolates, and
# lone surrogates (bytes of file names that are no UTF-8), which no encoding can write.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_UNSAFE_IN_TRACEBACK = re.compile(rf"(?!\n){_UNSAFE.pattern}")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LINE_BREAK = re.compile(r"\s*[\r\n]+\s*")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - the largest byte


def escape_controls(text: str) -> str:
    """Replace every control character by its escaped spelling; the result is one line."""
    return _UNSAFE.sub(_escape, text)


def escape_controls_in_lines(text: str) -> str:
    """Like `escape_controls`, and keep line breaks (for tracebacks)."""
    return _UNSAFE_IN_TRACEBACK.sub(_escape, text.replace("\t", "    "))


def one_line(text: str) -> str:
    """Join the lines of a message and make it safe to print."""
    return escape_controls(_LINE_BREAK.sub(" ", text.strip()))


def display_width(text: str) -> int:
    """Columns that a terminal uses for the text: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if combining(character) or character in "\u200b\u200d\ufe0f":
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def shorten(text: str, longest: int) -> str:
    """Cut a text that is longer, and show that it was."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
