"""Which lock a statement takes on PostgreSQL, and whether it reads or writes the table whole.

After the server's documentation of explicit locking and of each command
(https://www.postgresql.org/docs/current/explicit-locking.html, sql-altertable.html). What is not
known here is taken for the worst.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qadb.backends.effects import NO_DEFAULT, RUNS_CODE, Effect
from qadb.backends.postgresql.foreign_keys import (
    foreign_keys,
    reached_by_action,
    reached_by_drop,
    reached_by_truncate,
)
from qadb.backends.sql_text import WORD, mask, split_top_level, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from qadb.backends.effects import ForeignKey

__all__ = ["file_ids", "foreign_keys", "read_effects", "tables_of_indexes"]


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
_ALL_WRITES = _Lock("EXCLUSIVE", ("writes",))
_LOCKS = (_ROWS, _DDL_ONLY, _INDEXERS, _WRITERS, _ALL_WRITES, _EVERYTHING)
_STRENGTH = [lock.name for lock in _LOCKS]

_SCANS, _REWRITES = "scans", "rewrites"

_PLAIN_NAME = rf"{WORD}(?:\.{WORD})?"
_NAME = rf"(?P<table>{_PLAIN_NAME})"
_NAMES = rf"(?P<tables>(?:ONLY\s+)?{_PLAIN_NAME}(?:[\s*]*,\s*(?:ONLY\s+)?{_PLAIN_NAME})*)"
_COLUMN = rf"ALTER\s+(?:COLUMN\s+)?{WORD}\s+"
_ADD = rf"ADD\s+(?:CONSTRAINT\s+{WORD}\s+)?"


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
        (rf"CREATE\s+(?:\w+\s+)*?TRIGGER\s.*?\bON\s+{_NAME}", _WRITERS, ""),
        (rf"(?:DROP|ALTER)\s+TRIGGER\s.*?\bON\s+{_NAME}", _EVERYTHING, ""),
        (rf"CREATE\s+(?:OR\s+REPLACE\s+)?RULE\s.*?\bTO\s+{_NAME}", _EVERYTHING, ""),
        (rf"(?:CREATE|DROP|ALTER)\s+(?:POLICY|RULE)\s.*?\bON\s+{_NAME}", _EVERYTHING, ""),
        (rf"CREATE\s+TABLE\s.*?\bPARTITION\s+OF\s+{_NAME}", _EVERYTHING, ""),
        (rf"CREATE\s+TABLE\s.*?\bINHERITS\s*\(\s*{_NAME}", _DDL_ONLY, ""),
        (rf"REINDEX\s+(?:\(.*?\)\s*)?TABLE\s+{_NAME}", _INDEXERS, _SCANS),
        (rf"(?:ANALYZE|VACUUM)\s+{_NAME}", _DDL_ONLY, _SCANS),
        (rf"COMMENT\s+ON\s+TABLE\s+{_NAME}", _DDL_ONLY, ""),
        (rf"COMMENT\s+ON\s+COLUMN\s+(?P<table>{WORD})\.", _DDL_ONLY, ""),
        (rf"CREATE\s+STATISTICS\s.*\bFROM\s+{_NAME}", _DDL_ONLY, ""),
        (rf"(?:CLUSTER|VACUUM\s+FULL)\s+{_NAME}", _EVERYTHING, _REWRITES),
        (rf"INSERT\s+INTO\s+{_NAME}", _ROWS, ""),
        (rf"COPY\s+{_NAME}\s*(?:\([^)]*\)\s*)?FROM\b", _ROWS, ""),
        (rf"(?:UPDATE|DELETE\s+FROM|MERGE\s+INTO)\s+(?:ONLY\s+)?{_NAME}", _ROWS, _SCANS),
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
_DROP_TABLES = _pattern(rf"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAMES}")
_OF_INDEXES = _pattern(
    rf"(?:DROP|REINDEX|ALTER)\s+INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?{_NAMES}"
)
_TRUNCATE = _pattern(rf"TRUNCATE\s+(?:TABLE\s+)?{_NAMES}(?P<further>.*)")
_LOCK_TABLES = _pattern(rf"LOCK\s+(?:TABLE\s+)?{_NAMES}(?:[\s*]+IN\s+(?P<mode>[\w\s]+?)\s+MODE\b)?")
_WITH = _pattern(r"WITH\b")
# A part of WITH, or what follows its parts: DO UPDATE and FOR UPDATE stand after a word.
_PART_OF_WITH = _pattern(
    r"[()]\s*(?P<statement>(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\b.*)"
)
_RUNS_CODE = _pattern(r"(?:DO|CALL)\b")
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

# The tables of the indexes of these names, in the current namespace.
TABLES_OF_INDEXES = """
SELECT DISTINCT t.relname FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
ORDER BY 1
"""
FILE_IDS = """
SELECT relname, relfilenode::bigint FROM pg_catalog.pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
"""


def read_effects(statement: str, keys: Sequence[ForeignKey] = ()) -> tuple[Effect, ...]:
    """Return what a statement does to tables, one each; nothing where nobody would notice."""
    text = mask(statement)
    by_table: dict[str | None, Effect] = {}
    for effect in (*_of_statement(text), *_at_other_ends(text, keys)):
        known = by_table.get(effect.table)
        by_table[effect.table] = effect if known is None else _both(known, effect)
    return tuple(by_table.values())


def _of_statement(text: str) -> Iterable[Effect]:
    altered = _ALTER_TABLE.match(text)
    if altered:
        return _of_actions(unquote(altered["table"]), altered["actions"])
    if _CREATE_TABLE.match(text) and not _HANGS_ON.search(text):  # nobody uses it yet
        parents = dict.fromkeys(unquote(found["table"]) for found in _REFERENCES.finditer(text))
        return [_effect(parent, _WRITERS) for parent in parents]
    several = _DROP_TABLES.match(text) or _TRUNCATE.match(text)
    if several:
        return [_effect(name, _EVERYTHING) for name in _names(several["tables"])]
    locked = _LOCK_TABLES.match(text)
    if locked:
        return _of_lock(locked)
    if _WITH.match(text):
        return _of_with(text)
    return _of_other_statement(text)


def _of_other_statement(text: str) -> Iterable[Effect]:
    for pattern, lock, what in _STATEMENTS:
        found = pattern.match(text)
        if found:
            effect = _effect(unquote(found["table"]) if found["table"] else None, lock, what)
            return [replace(effect, risks=(NOT_CONCURRENTLY,)) if lock is _INDEXERS else effect]
    if not text or _HARMLESS.match(text):
        return []
    if _RUNS_CODE.match(text):
        return [Effect(None, risks=(RUNS_CODE,))]
    return [replace(_effect(None, _EVERYTHING), risks=(UNKNOWN,))]


def _of_lock(found: re.Match[str]) -> Iterator[Effect]:
    """Yield the locks that LOCK TABLE asks for, but those that hold no writer up."""
    mode = " ".join((found["mode"] or _EVERYTHING.name).upper().split())
    for lock in _LOCKS:
        if lock.name == mode:
            yield from (_effect(name, lock) for name in _names(found["tables"]))


def _of_with(text: str) -> Iterator[Effect]:
    """Yield what every part of it does, that in brackets and that after them."""
    part = _PART_OF_WITH.search(text)
    while part:
        yield from _of_other_statement(part["statement"])
        part = _PART_OF_WITH.search(text, part.start("statement"))


def _at_other_ends(text: str, keys: Sequence[ForeignKey]) -> Iterator[Effect]:
    """Yield the locks on tables that foreign keys bind to those of the statement."""
    altered = _ALTER_TABLE.match(text)
    if altered:
        for action in map(str.strip, split_top_level(altered["actions"])):
            for name, scans in reached_by_action(unquote(altered["table"]), action, keys):
                yield _effect(name, _EVERYTHING, _SCANS if scans else "")
    dropped = _DROP_TABLES.match(text)
    if dropped:
        for name in reached_by_drop(_names(dropped["tables"]), keys):
            yield _effect(name, _EVERYTHING)
    emptied = _TRUNCATE.match(text)
    if emptied and "CASCADE" in emptied["further"].upper():
        for name in reached_by_truncate(_names(emptied["tables"]), keys):
            yield _effect(name, _EVERYTHING)


def _names(tables: str) -> list[str]:
    only = re.compile(r"ONLY\s+(?=\S)", re.IGNORECASE)
    return [unquote(only.sub("", each.strip(" *\n\t"))) for each in split_top_level(tables)]


def tables_of_indexes(connection: Connection, statement: str) -> tuple[str, ...]:
    """Look the tables of the named indexes up, before the statement takes them away."""
    found = _OF_INDEXES.match(mask(statement))
    if not found:
        return ()
    names = [name.rpartition(".")[2] for name in _names(found["tables"])]
    rows = connection.exec_driver_sql(TABLES_OF_INDEXES, (names,))
    return tuple(str(table) for (table,) in rows)


def file_ids(connection: Connection) -> dict[str, int]:
    """A table that is written anew gets another file."""
    return {str(name): int(number) for name, number in connection.exec_driver_sql(FILE_IDS)}


def _effect(table: str | None, lock: _Lock, what: str = "") -> Effect:
    return Effect(table, lock.name, lock.blocks, rewrites=what == _REWRITES, scans=what == _SCANS)


def _both(one: Effect, other: Effect) -> Effect:
    """The stronger lock on a table, with all that is done to it."""
    stronger = max(one, other, key=lambda each: _STRENGTH.index(each.lock) if each.lock else -1)
    return replace(
        stronger,
        rewrites=one.rewrites or other.rewrites,
        scans=one.scans or other.scans,
        risks=tuple(dict.fromkeys((*one.risks, *other.risks))),
    )


def _of_actions(table: str, actions: str) -> Iterator[Effect]:
    """Yield the strongest lock on the table, with all that its actions do, and others' locks."""
    own: Effect | None = None
    for action in map(str.strip, split_top_level(actions)):
        effect = _of_action(table, action)
        own = effect if own is None else _both(own, effect)
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
