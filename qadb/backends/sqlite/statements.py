"""What a statement does to a table on SQLite, where the whole run holds the one lock for writing.

Readers go on meanwhile; what counts is how much is copied or read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qadb.backends.effects import NO_DEFAULT, Effect
from qadb.backends.sql_text import mask, unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from qadb.backends.effects import ForeignKey

LOCK = "write"
_NEEDS_VALUE = re.compile(
    r"ALTER\s+TABLE\s+\S+\s+ADD\s+(?!.*\b(?:DEFAULT|GENERATED|AS)\b).*\bNOT\s+NULL\b",
    re.IGNORECASE | re.DOTALL,
)
_NAME = r'(?P<table>"(?:[^"]|"")+"|\w+)'
_PATTERNS: tuple[tuple[re.Pattern[str], bool, bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), rewrites, scans)
    for pattern, rewrites, scans in (
        (rf"INSERT\s+INTO\s+\S+.*\bSELECT\b.*\bFROM\s+{_NAME}", True, False),  # a copy of the table
        (rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s.*?\bON\s+{_NAME}", False, True),
        (rf"ALTER\s+TABLE\s+{_NAME}\s+DROP\s+COLUMN", True, False),
        (rf"(?:ALTER|DROP)\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}", False, False),
        (rf"INSERT\s+INTO\s+{_NAME}", False, False),
        (rf"(?:UPDATE|DELETE\s+FROM)\s+{_NAME}", False, True),
        (rf"(?:CREATE|DROP)\s+TRIGGER\s.*?\bON\s+{_NAME}", False, False),
    )
)


def read_effects(statement: str, keys: Sequence[ForeignKey] = ()) -> tuple[Effect, ...]:
    """Return what a statement does to a table; nothing where it touches none."""
    del keys  # there is the one lock
    text = mask(statement)
    for pattern, rewrites, scans in _PATTERNS:
        found = pattern.match(text)
        if found:
            name = unquote(found["table"])
            risks = (NO_DEFAULT,) if _NEEDS_VALUE.match(text) else ()
            return (Effect(name, LOCK, ("writes",), rewrites, scans, risks),)
    return ()


def foreign_keys(connection: Connection, statement: str) -> tuple[ForeignKey, ...]:
    """None: no table is locked by itself."""
    del connection, statement
    return ()


def tables_of_indexes(connection: Connection, statement: str) -> tuple[str, ...]:
    """None: an index goes without anybody who waits for its table."""
    del connection, statement
    return ()


def file_ids(connection: Connection) -> dict[str, int]:
    """Nothing tells here whether a statement wrote a table anew."""
    del connection
    return {}
