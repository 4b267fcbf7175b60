"""Redaction: hiding secrets in text that is about to be shown.

Owns how a secret may be spelled inside a message and which phrases hide one that nobody registered.
Collecting the secrets is the settings' work, deciding what is shown is the caller's. Give it words
meant for people, string by string: a finished JSON document could lose its shape.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "***"

_SHORTEST_DISTINCT = 3
# As passwords these hide nothing that the reader does not guess, and hiding them everywhere would
# make every message unreadable: they are hidden where a password stands, and only there.
_ORDINARY_WORDS = frozenset(
    {
        "admin",
        "database",
        "default",
        "false",
        "localhost",
        "none",
        "null",
        "password",
        "postgres",
        "postgresql",
        "qadb",
        "root",
        "secret",
        "sqlite",
        "test",
        "true",
        "user",
    }
)

_QUOTED = r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*\""""
_KEY = r"(?i:password|passwd|passphrase|pwd|secret|secret_?key|token)"
_CONTEXTS = (
    # scheme://user:secret@host, up to the last "@" of the word
    r"""(://[^\s:/@'"]*:)(?!\*\*\*@)(?:(?!://)[^\s'"<>])+(?=@)""",
    # password=secret, PGPASSWORD='a secret', "password": "secret"
    rf"""({_KEY}(?:\\*["']\s?[:=]|\s?=)\s?)(?:{_QUOTED}|\\+"[^"\\]*\\+"|[^\s&"']+)""",
    # ALTER ROLE … PASSWORD 'secret'
    r"""((?i:\bpassword)\s+E?)'(?:[^'\\]|\\.|'')*'""",
)

# How a character may appear besides itself: shells, SQL, XML, forms, and escapes after a backslash.
_ALIASES = {
    "'": ("'\"'\"'", r"'\''", "''", "&apos;", "&#x27;", "&#39;"),
    '"': ("&quot;", "&#34;"),
    "&": ("&amp;",),
    "<": ("&lt;",),
    ">": ("&gt;",),
    " ": ("+",),
    "+": (" ",),
    "%": ("%%",),
}
_LETTER_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\0": "0"}


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace every spelling of each secret, and whatever stands where a password stands.

    Secrets under three characters and a few ordinary words are hidden only in such a place.
    """
    spans = sorted(
        match.span()
        for pattern in _compile_secrets(frozenset(secrets))
        for match in pattern.finditer(text)
    )
    hidden = _hide_spans(text, spans)
    for context in _CONTEXTS:
        # Compiled on first use (and kept by re): most commands never redact anything.
        hidden = re.sub(context, rf"\1{HIDDEN}", hidden, flags=re.DOTALL)
    return hidden


def _hide_spans(text: str, spans: list[tuple[int, int]]) -> str:
    """Replace the spans, overlapping ones as one."""
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        if start >= position:
            pieces += (text[position:start], HIDDEN)
        position = max(position, end)
    return "".join([*pieces, text[position:]])


@lru_cache(maxsize=16)
def _compile_secrets(secrets: frozenset[str]) -> tuple[re.Pattern[str], ...]:
    distinct = (secret for secret in secrets if _is_distinct(secret))
    return tuple(re.compile(_spell(secret), re.DOTALL) for secret in distinct)


def _is_distinct(secret: str) -> bool:
    return len(secret.strip()) >= _SHORTEST_DISTINCT and secret.casefold() not in _ORDINARY_WORDS


def _spell(secret: str) -> str:
    """Build a pattern for every spelling of a secret, mixed ones too."""
    runs = re.findall(r"\\+|.", secret, re.DOTALL)
    return "".join(_spell_run(run, is_first=index == 0) for index, run in enumerate(runs))


def _spell_run(run: str, *, is_first: bool) -> str:
    if run.isascii() and run.isalnum():
        return run
    if run.startswith("\\"):
        # Escaping multiplies backslashes; possessive, so that long runs cost one pass.
        start = r"(?<!\\)" if is_first else ""
        return rf"{start}(?:\\|{_percent(chr(92))}|(?<=\\)(?i:x5c|u005c)){{{len(run)},}}+"
    prefix = "" if is_first else r"\\*+"
    return prefix + "(?:" + "|".join(_spell_character(run)) + ")"


def _spell_character(character: str) -> list[str]:
    code = ord(character)
    encoded = character.encode("utf-8", "surrogatepass")
    escapes = [f"u{code:04x}", f"U{code:08x}", r"\\".join(f"x{byte:02x}" for byte in encoded)]
    if code <= 0xFF:  # noqa: PLR2004  # repr() writes these as \xNN
        escapes.append(f"x{code:02x}")
    escapes.append(_LETTER_ESCAPES.get(character, f"u{code:04x}"))
    aliases = [re.escape(alias) for alias in _ALIASES.get(character, ())]
    return [
        _percent(character),
        *aliases,
        re.escape(character),
        rf"(?<=\\)(?i:{'|'.join(escapes)})",
    ]


def _percent(character: str) -> str:
    """Percent-encoding, with its own "%" doubled (as configuration files do) or encoded again."""
    encoded = character.encode("utf-8", "surrogatepass")
    return "".join(f"%{{1,2}}(?:25)*(?i:{byte:02x})" for byte in encoded)
