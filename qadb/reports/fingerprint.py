"""Failure fingerprints: the same fault in two runs gets the same signature.

Owns what is taken out of a message because it changes from run to run. What belongs together
beyond that is for the analysis of many results.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

_MAX_CHARS: Final = 2_048
_STACK_LINES: Final = 5
_DIGEST_BYTES: Final = 16

_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_MOMENT = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_CLOCK = re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s'\"<>)]+", re.IGNORECASE)
_ROOTED_PATH = re.compile(
    r"(?<![\w.\\/~-])(?:[a-z]:|~|\.{1,2})?(?:[\\/][\w.@+~-]+)+", re.IGNORECASE
)
_RELATIVE_PATH = re.compile(r"(?<![\w.\\/-])[\w.-]+(?:[\\/][\w.@+~-]+)+")
_LONG_HEX = re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", re.IGNORECASE)

# What a text must hold for the pattern to be worth a try, the pattern, the word put in its place.
# Order matters: the larger thing first, because it contains the smaller. No pattern scans a text
# more than once from the same kind of start, so a hostile one costs no more than a long one.
_VOLATILE: Final = (
    ("-", _UUID, "<id>"),
    ("-", _MOMENT, "<time>"),
    (":", _CLOCK, "<time>"),
    ("'", re.compile(r"(?<!\w)'[^'\n]*'(?!\w)"), "<value>"),
    ('"', re.compile(r"(?<!\w)\"[^\"\n]*\"(?!\w)"), "<value>"),
    ("`", re.compile(r"(?<!\w)`[^`\n]*`(?!\w)"), "<value>"),
    ("://", _URL, "<url>"),
    ("/", _ROOTED_PATH, "<path>"),
    ("/", _RELATIVE_PATH, "<path>"),
    ("\\", _ROOTED_PATH, "<path>"),
    ("\\", _RELATIVE_PATH, "<path>"),
    ("0x", re.compile(r"\b0x[0-9a-f]+", re.IGNORECASE), "<hex>"),
    ("@", re.compile(r"@[0-9a-f]{4,16}\b"), "@<hex>"),
    ("", _LONG_HEX, "<hex>"),
    ("", _NUMBER, "<n>"),
)


def failure_signature(error_type: str | None, message: str | None, stack_trace: str | None) -> str:
    """Hash what stays the same of a failure: 32 hexadecimal digits.

    Numbers, addresses, ids, times, quoted values and paths are taken out of the message. A failure
    with neither type nor message is known by the first lines of its stack trace.
    """
    said = message or ""
    if not error_type and not said.strip():
        said = _first_lines(stack_trace or "")
    digest = blake2b(digest_size=_DIGEST_BYTES)
    digest.update((error_type or "").strip().encode())
    digest.update(b"\0")
    digest.update(normalise(said).encode())
    return digest.hexdigest()


def normalise(text: str) -> str:
    """Replace what changes from run to run by a word for its kind."""
    text = text[:_MAX_CHARS]
    for clue, pattern, word in _VOLATILE:
        if clue in text:
            text = pattern.sub(word, text)
    return " ".join(text.split())


def _first_lines(text: str) -> str:
    lines = (line.strip() for line in text[: 4 * _MAX_CHARS].splitlines())
    return "\n".join([line for line in lines if line][:_STACK_LINES])
