"""Which lock a statement takes on PostgreSQL, and whether it reads or writes the table whole.

After the server's documentation of explicit locking and of each command
(https://www.postgresql.org/docs/current/explicit-locking.html, sql-altertable.html). What is not
known here is taken for the worst.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qadb.backends.effects import NO_DEFAULT, Effect
from qadb.backends.sql_text import mask, split_top_level, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class _Lock:
    """A lock's name, and what others wait with while it is held."""

    name: str
    blocks: tuple[str, ...] = ()


_ROWS = _Lock("ROW EXCLUSIVE")
_DDL_ONLY = _Lock("SHARE UPDATE EXCLUSIVE")
_INDEXERS = _Lock("SHARE", ("writes",))
_WRITERS = _Lock("SHARE ROW EXCLUSIVE", ("writes",))
_EVERYTHING = _Lock("ACCESS EXCLUSIVE", ("reads", "writes"))
_STRENGTH = [lock.name for lock in (_ROWS, _DDL_ONLY, _INDEXERS, _WRITERS, _EVERYTHING)]

_SCANS, _REWRITES = "scans", "rewrites"

_WORD = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_NAME = rf"(?P<table>{_WORD}(?:\.{_WORD})?)"
_COLUMN = rf"ALTER\s+(?:COLUMN\s+)?{_WORD}\s+"
_ADD = rf"ADD\s+(?:CONSTRAINT\s+{_WORD}\s+)?"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


# Statements but ALTER TABLE: the table, its lock, and what is done to it as a whole.
_STATEMENTS = tuple(
    (_pattern(text), lock, what)
    for text, lock, what in (
        (rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s.*?\bON\s+{_NAME}", _DDL_ONLY, _SCANS),
        (rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s.*?\bON\s+(?:ONLY\s+)?{_NAME}", _INDEXERS, _SCANS),
        (r"(?:DROP|REINDEX)\s+INDEX\s+CONCURRENTLY\b(?P<table>)", _DDL_ONLY, ""),
        (r"(?:DROP|ALTER)\s+INDEX\b(?P<table>)", _EVERYTHING, ""),
        (rf"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}", _EVERYTHING, ""),
        (rf"TRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?{_NAME}", _EVERYTHING, ""),
        (rf"CREATE\s+(?:\w+\s+)*?TRIGGER\s.*?\bON\s+{_NAME}", _WRITERS, ""),
        (rf"(?:DROP|ALTER)\s+TRIGGER\s.*?\bON\s+{_NAME}", _EVERYTHING, ""),
        (rf"CREATE\s+(?:OR\s+REPLACE\s+)?RULE\s.*?\bTO\s+{_NAME}", _EVERYTHING, ""),
        (rf"(?:CREATE|DROP|ALTER)\s+(?:POLICY|RULE)\s.*?\bON\s+{_NAME}", _EVERYTHING, ""),
        (rf"CREATE\s+TABLE\s.*?\bPARTITION\s+OF\s+{_NAME}", _EVERYTHING, ""),
        (rf"CREATE\s+TABLE\s.*?\bINHERITS\s*\(\s*{_NAME}", _DDL_ONLY, ""),
        (rf"REINDEX\s+(?:\(.*?\)\s*)?TABLE\s+{_NAME}", _INDEXERS, _SCANS),
        (rf"(?:ANALYZE|VACUUM)\s+{_NAME}", _DDL_ONLY, _SCANS),
        (rf"COMMENT\s+ON\s+TABLE\s+{_NAME}", _DDL_ONLY, ""),
        (rf"COMMENT\s+ON\s+COLUMN\s+(?P<table>{_WORD})\.", _DDL_ONLY, ""),
        (rf"CREATE\s+STATISTICS\s.*\bFROM\s+{_NAME}", _DDL_ONLY, ""),
        (rf"(?:CLUSTER|VACUUM\s+FULL)\s+{_NAME}", _EVERYTHING, _REWRITES),
        (rf"LOCK\s+(?:TABLE\s+)?(?:ONLY\s+)?{_NAME}", _EVERYTHING, ""),
        (rf"INSERT\s+INTO\s+{_NAME}", _ROWS, ""),
        (rf"(?:UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?{_NAME}", _ROWS, _SCANS),
    )
)

# Actions of ALTER TABLE, the first that matches; any other takes the table whole, for a moment.
_ACTIONS = tuple(
    (_pattern(text), lock, what)
    for text, lock, what in (
        (r"VALIDATE\s+CONSTRAINT", _DDL_ONLY, _SCANS),
        (rf"{_COLUMN}SET\s+STATISTICS|{_COLUMN}(?:SET|RESET)\s*\(", _DDL_ONLY, ""),
        (r"(?:SET|RESET)\s*\(|CLUSTER\s+ON|SET\s+WITHOUT\s+CLUSTER", _DDL_ONLY, ""),
        (r"ATTACH\s+PARTITION|DETACH\s+PARTITION\s.*CONCURRENTLY", _DDL_ONLY, ""),
        (r"(?:ENABLE|DISABLE)\s+(?:ALWAYS\s+|REPLICA\s+)?TRIGGER", _WRITERS, ""),
        (rf"{_ADD}FOREIGN\s+KEY.*NOT\s+VALID", _WRITERS, ""),
        (rf"{_ADD}FOREIGN\s+KEY", _WRITERS, _SCANS),
        (rf"{_ADD}CHECK.*NOT\s+VALID|{_ADD}\w+(?:\s+KEY)?\s+USING\s+INDEX", _EVERYTHING, ""),
        (rf"{_ADD}(?:CHECK|UNIQUE|PRIMARY\s+KEY|EXCLUDE)\b", _EVERYTHING, _SCANS),
        (rf"{_COLUMN}SET\s+NOT\s+NULL", _EVERYTHING, _SCANS),
        (rf"{_COLUMN}(?:SET\s+DATA\s+)?TYPE\b", _EVERYTHING, _REWRITES),
        (r"SET\s+(?:LOGGED|UNLOGGED|TABLESPACE|ACCESS\s+METHOD)", _EVERYTHING, _REWRITES),
        (r"ADD\s.*\b(?:GENERATED|(?:big|small)?serial)\b", _EVERYTHING, _REWRITES),
        (r"ADD\s.*\bDEFAULT\s+(?!now\s*\(|CURRENT_)[^,]*\w\s*\(", _EVERYTHING, _REWRITES),
        (r"ADD\s.*\b(?:CHECK|UNIQUE|PRIMARY\s+KEY)\b", _EVERYTHING, _SCANS),
        (r"ADD\s.*\bDEFAULT\b.*\bREFERENCES\b", _EVERYTHING, _SCANS),
    )
)

_ALTER_TABLE = _pattern(
    rf"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}\s+(?P<actions>.+)"
)
_CREATE_TABLE = _pattern(r"CREATE\s+(?:UNLOGGED\s+)?TABLE\b")
_HANGS_ON = _pattern(r"\bPARTITION\s+OF\b|\bINHERITS\b")
_SEVERAL = _pattern(
    rf"(?:DROP\s+TABLE|TRUNCATE)\s+(?:TABLE\s+)?(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?"
    rf"(?P<tables>{_NAME.replace('P<table>', ':')}(?:\s*,\s*{_NAME.replace('P<table>', ':')})+)"
)
_REFERENCES = _pattern(rf"\bREFERENCES\s+{_NAME}")
_ADDS_COLUMN = _pattern(r"ADD\s+(?!(?:CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b)")
_NEEDS_VALUE = _pattern(r"\bNOT\s+NULL\b")
_HAS_VALUE = _pattern(r"\b(?:DEFAULT|GENERATED|(?:big|small)?serial)\b")
# What takes no lock that anybody who uses a table would notice.
_HARMLESS = _pattern(
    r"(?:SELECT|SET|SHOW|RESET|SAVEPOINT|RELEASE|ROLLBACK|GRANT|REVOKE|COMMENT\s+ON"
    r"|(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE|VIEW|SCHEMA|SEQUENCE|TYPE"
    r"|DOMAIN|EXTENSION|COLLATION|STATISTICS)|CREATE\s+TEMP)\b"
)

NOT_CONCURRENTLY = "CREATE INDEX CONCURRENTLY would let writers go on"
UNKNOWN = "what it locks is not known"

FILE_IDS = """
SELECT relname, relfilenode::bigint FROM pg_catalog.pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
"""


def read_effects(statement: str) -> tuple[Effect, ...]:
    """Return what a statement does to tables; nothing where nobody would notice."""
    text = mask(statement)
    altered = _ALTER_TABLE.match(text)
    if altered:
        return tuple(_of_actions(unquote(altered["table"]), altered["actions"]))
    if _CREATE_TABLE.match(text) and not _HANGS_ON.search(
        text
    ):  # nobody uses it yet, but those that it refers to
        parents = dict.fromkeys(unquote(found["table"]) for found in _REFERENCES.finditer(text))
        return tuple(_effect(parent, _WRITERS) for parent in parents)
    several = _SEVERAL.match(text)
    if several:
        names = map(unquote, map(str.strip, split_top_level(several["tables"])))
        return tuple(_effect(name, _EVERYTHING) for name in names)
    for pattern, lock, what in _STATEMENTS:
        found = pattern.match(text)
        if found:
            effect = _effect(unquote(found["table"]) if found["table"] else None, lock, what)
            return (replace(effect, risks=(NOT_CONCURRENTLY,)) if lock is _INDEXERS else effect,)
    if not text or _HARMLESS.match(text):
        return ()
    return (replace(_effect(None, _EVERYTHING), risks=(UNKNOWN,)),)


def file_ids(connection: Connection) -> dict[str, int]:
    """A table that is written anew gets another file."""
    return {str(name): int(number) for name, number in connection.exec_driver_sql(FILE_IDS)}


def _effect(table: str | None, lock: _Lock, what: str = "") -> Effect:
    return Effect(table, lock.name, lock.blocks, rewrites=what == _REWRITES, scans=what == _SCANS)


def _of_actions(table: str, actions: str) -> Iterator[Effect]:
    """Yield the strongest lock on the table, with all that its actions do, and others' locks."""
    own: Effect | None = None
    for action in map(str.strip, split_top_level(actions)):
        effect = _of_action(table, action)
        if own is not None:
            stronger = max(own, effect, key=lambda each: _STRENGTH.index(each.lock or ""))
            effect = replace(
                stronger,
                rewrites=own.rewrites or effect.rewrites,
                scans=own.scans or effect.scans,
                risks=(*own.risks, *effect.risks),
            )
        own = effect
        parent = _REFERENCES.search(action)
        if parent and unquote(parent["table"]) != table:
            yield _effect(unquote(parent["table"]), _WRITERS)
    if own is not None:
        yield own


def _of_action(table: str, action: str) -> Effect:
    for pattern, lock, what in _ACTIONS:
        if pattern.match(action):
            effect = _effect(table, lock, what)
            break
    else:
        effect = _effect(table, _EVERYTHING)
    needs_value = _ADDS_COLUMN.match(action) and _NEEDS_VALUE.search(action)
    if needs_value and not _HAS_VALUE.search(action):
        effect = replace(effect, risks=(*effect.risks, NO_DEFAULT))
    return effect
