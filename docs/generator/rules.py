"""The models' rules in words; what has no shorter words stays SQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docs.generator.markdown import code, codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from qadb.models.rules import Rule


def in_words(rule: Rule) -> str:
    """Return what a row must keep, without the column's name where there is one column."""
    for pattern, say in _FORMS:
        found = re.fullmatch(pattern, rule.sql, re.DOTALL)
        if found is not None:
            return say(found)
    return code(rule.sql)


def _words(found: re.Match[str]) -> str:
    words = re.findall(r"'([^']*)'", found["words"])
    return f"one of {codes(words)}"


def _made_of(found: re.Match[str]) -> str:
    size = f"{found['low']} to {found['high']}" if found["high"] else found["size"]
    return f"{size} characters out of {code(found['characters'])}"


_SHAPE = (
    r"length\(\w+\) (?:= (?P<size>\d+)|BETWEEN (?P<low>\d+) AND (?P<high>\d+))"
    r" AND trim\(\w+, '(?P<characters>[^']*)'\) = ''"
)

_FORMS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"\w+ IN \((?P<words>.*)\)", _words),
    (r"\w+ >= (?P<bound>\d+)", lambda found: f"≥ {found['bound']}"),
    (r"\w+ > (?P<bound>\d+)", lambda found: f"> {found['bound']}"),
    (r"\w+ BETWEEN (\d+) AND (\d+)", lambda found: f"from {found[1]} to {found[2]}"),
    (
        r"length\(\w+\) BETWEEN (\d+) AND (\d+)",
        lambda found: f"{found[1]} to {found[2]} characters",
    ),
    (
        _SHAPE,
        _made_of,
    ),
    (r"trim\(.*\) = '' AND \(.*FREQ=.*\)", lambda _found: "a recurrence rule (RFC 5545)"),
    (
        r"length\(\w+\) > 0 AND length\(\w+\) % 4 = 0",
        lambda _found: "whole numbers of four bytes, at least one",
    ),
)
