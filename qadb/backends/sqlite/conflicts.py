"""Which rule a row breaks, from SQLite's words.

It names columns for unique keys and NOT NULL, the constraint for checks, nothing for foreign keys.
"""

from __future__ import annotations

import re

from qadb.backends.values import BrokenRule

_COLUMNS = re.compile(r"(?:UNIQUE|NOT NULL) constraint failed: (?!index ')(?P<columns>.+)")
_NAME = re.compile(r"(?:CHECK constraint failed: |.*index ')(?P<name>[^']+)'?")


def read_conflict(error: BaseException) -> BrokenRule:
    """Return what the message tells."""
    text = str(error)
    columns = _COLUMNS.fullmatch(text)
    if columns:
        parts = [name.partition(".") for name in columns["columns"].split(", ")]
        return BrokenRule(table=parts[0][0], columns=tuple(part[2] for part in parts))
    name = _NAME.fullmatch(text)
    return BrokenRule(
        constraint=name["name"] if name else None,
        is_foreign_key=text.startswith("FOREIGN KEY"),
    )
