"""The key by which a test is recognised from run to run.

It is made of the application, the innermost suite, the class name and the name: together they tell
tests apart in every dialect we know (Jest repeats class names across suites, pytest has one suite).
What changes from run to run inside a suite's name is left out. Files and lines are not part of it:
a moved test keeps its history.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from hashlib import blake2b

MAX_KEY_CHARS = 512
_MAX_PLAIN_CHARS = 440
_SEPARATOR = "::"

_VOLATILE = re.compile(
    r"\(id: [0-9a-f]+\)"  # xUnit.net: Test collection for X (id: 5fa1…)
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"  # UUIDs
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?\b",  # moments
    re.IGNORECASE,
)


def make_case_key(application: str, suite: str | None, classname: str | None, name: str) -> str:
    """Return the key: readable where it can be, with a digest where parts are long or ambiguous."""
    stable = _stable_suite(suite) if suite else ""
    parts = (application, stable, classname or "", name)
    plain = _SEPARATOR.join(parts)
    if len(plain) <= _MAX_PLAIN_CHARS and _is_unambiguous(plain, parts):
        return plain
    digest = blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
    return f"{plain[:_MAX_PLAIN_CHARS]}#{digest}"


def _is_unambiguous(plain: str, parts: tuple[str, ...]) -> bool:
    """Tell whether the joined text can be taken apart in one way only; quick for nearly all."""
    if plain.count(_SEPARATOR) != len(parts) - 1:
        return False
    return ":::" not in plain or not any(part[:1] == ":" or part[-1:] == ":" for part in parts)


@lru_cache(maxsize=256)
def _stable_suite(suite: str) -> str:
    return _VOLATILE.sub("", suite).strip()
