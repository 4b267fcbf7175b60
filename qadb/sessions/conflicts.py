"""Broken keys and rules in our words: which table, which constraint, which values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint
from sqlalchemy import UniqueConstraint as Unique

from qadb.errors import ConflictError
from qadb.sessions.tenant_tables import OWNER_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Constraint, MetaData, Table

    from qadb.backends.base import Backend
    from qadb.backends.values import BrokenRule

_HIDDEN_ENDING = "_hash"

# As SQLAlchemy writes it: the table, and the columns in the order of their parameters.
_WRITTEN = re.compile(
    r'(?:INSERT INTO|UPDATE) "?(?P<table>\w+)"?\s+'
    r"(?:\((?P<inserted>[^)]*)\) VALUES|SET (?P<changed>.*?)(?= WHERE|$))",
    re.DOTALL,
)
_CHANGED = re.compile(r'"?(\w+)"?=\?')


def conflict_of_statement(
    error: BaseException, backend: Backend, metadata: MetaData
) -> ConflictError | None:
    """Return the ConflictError for SQLAlchemy's exception, which holds the statement.

    None where it is about no table of the metadata.
    """
    found = conflict(error, backend, metadata, **_written(error, metadata))
    return None if found.table is None else found


class _Row(TypedDict, total=False):
    table: Table
    row: Mapping[str, object]


def _written(error: BaseException, metadata: MetaData) -> _Row:
    """The table that was written to, and the row where it was a single one."""
    statement, values = getattr(error, "statement", None), getattr(error, "params", None)
    match = _WRITTEN.match(statement or "")
    table = None if match is None else metadata.tables.get(match["table"])
    if match is None or table is None:
        return {}
    if isinstance(values, dict):
        return {"table": table, "row": {k: v for k, v in values.items() if k in table.columns}}
    if match["inserted"] is None:
        names = _CHANGED.findall(match["changed"])
    else:
        names = [name.strip(' "') for name in match["inserted"].split(",")]
    is_single = isinstance(values, tuple) and len(values) >= len(names)
    return {
        "table": table,
        "row": dict(zip(names, values or (), strict=False)) if is_single else {},
    }


def conflict(
    error: BaseException,
    backend: Backend,
    metadata: MetaData,
    *,
    table: Table | None = None,
    row: Mapping[str, object] | None = None,
) -> ConflictError:
    """Return the ConflictError for a driver's exception.

    Args:
        error: SQLAlchemy's or the driver's.
        backend: the engine that raised it.
        metadata: where constraints are looked up.
        table: the table that was written to.
        row: what was written, where it was a single row.
    """
    broken = backend.conflicts.read_conflict(getattr(error, "orig", None) or error)
    found = metadata.tables.get(broken.table or "")
    rule = _find_rule(broken, metadata, found, table, row)
    if found is None and rule is not None:
        found = rule.table
    name = broken.constraint or (None if rule is None else str(rule.name or "") or None)
    columns = broken.columns or (() if rule is None else _columns(rule))
    kind = "a foreign key" if broken.is_foreign_key else "a rule"
    values = _values(broken, columns, row if found is None or found is table else None)
    where = found if found is not None else table
    return ConflictError(
        _message(None if where is None else where.name, name or kind, columns, values),
        table=None if where is None else where.name,
        constraint=name,
        values=values,
    )


def _find_rule(
    broken: BrokenRule,
    metadata: MetaData,
    found: Table | None,
    written: Table | None,
    row: Mapping[str, object] | None,
) -> Constraint | Index | None:
    tables = [t for t in (found, written) if t is not None] or list(metadata.tables.values())
    if broken.constraint is not None:
        named = (r for t in tables for r in _rules(t) if str(r.name) == broken.constraint)
        return next(named, None)
    if broken.is_foreign_key and written is not None and row is not None:
        used = [k for k in written.foreign_key_constraints if _is_used(k, row)]
        likely = [k for k in used if OWNER_COLUMN not in k.column_keys] or used
        return likely[0] if len(likely) == 1 else None
    if found is not None and len(broken.columns) > 0:
        keys = (r for r in _rules(found) if _is_key(r) and _columns(r) == broken.columns)
        return next(keys, None)
    return None


def _rules(table: Table) -> Iterator[Constraint | Index]:
    yield from table.constraints
    yield from table.indexes


def _is_key(rule: Constraint | Index) -> bool:
    if isinstance(rule, Index):
        return bool(rule.unique)
    return isinstance(rule, Unique | PrimaryKeyConstraint)


def _is_used(key: ForeignKeyConstraint, row: Mapping[str, object]) -> bool:
    return all(row.get(name) is not None for name in key.column_keys)


def _columns(rule: Constraint | Index) -> tuple[str, ...]:
    if isinstance(rule, CheckConstraint):
        table = rule.table
        return tuple(c.name for c in table.columns if c.name in str(rule.sqltext))
    columns = getattr(rule, "columns", ())
    return tuple(column.name for column in columns)


def _values(
    broken: BrokenRule, columns: tuple[str, ...], row: Mapping[str, object] | None
) -> dict[str, object]:
    if row is not None and any(column in row for column in columns):
        values = {column: row[column] for column in columns if column in row}
    else:
        values = dict(zip(broken.columns, broken.values, strict=False))
    return {name: value for name, value in values.items() if not name.endswith(_HIDDEN_ENDING)}


def _message(
    table: str | None, what: str, columns: tuple[str, ...], values: dict[str, object]
) -> str:
    held = ", ".join(f"{name}={value!r}" for name, value in values.items())
    if what == "a rule" and columns:
        what = f"a rule on {', '.join(columns)}"
    place = f" of {table}" if table else ""
    return f"A row{place} breaks {what}" + (f": {held}." if held else ".")
