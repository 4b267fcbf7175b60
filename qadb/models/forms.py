"""Forms: the rules that follow from a column's type.

PostgreSQL's types refuse a long string, a naive text for a time or a 7 for a boolean by themselves;
SQLite's store anything. Owns the CHECKs that stand in for them on SQLite alone, and the same as a
ValueError on the models of both engines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import JSON, Boolean, LargeBinary, String, Text, Uuid

from qadb.models.rules import Rule, of_one_column
from qadb.models.types import ScaledNumeric, TextArray, UtcDateTime, require_aware

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Column, Table

_UTC_GLOB = "????-??-??T??:??:??.??????Z"


def forms_of(table: Table, rules: Iterable[Rule]) -> Iterator[Rule]:
    """Yield the form of every column whose own rules and foreign keys leave its type open."""
    ruled = {column for rule in rules if len(rule.columns) == 1 for column in rule.columns}
    for column in table.columns:
        form = _form(column)
        is_settled = column.name in ruled or bool(column.foreign_keys)
        if form is not None and not (isinstance(column.type, String) and is_settled):
            yield form


def _form(column: Column[object]) -> Rule | None:
    name: str = column.name
    kind: object = column.type
    form: Rule | None = None
    match kind:
        case String(length=int() as limit) if not isinstance(kind, Text):
            form = _short_text(name, limit)
        case Uuid():
            sql = f"length({name}) = 32 AND trim({name}, '0123456789abcdef') = ''"
            form = of_one_column(name, "uuid", sql, _uuid_problem)
        case LargeBinary():
            sql = f"typeof({name}) IN ('blob', 'null')"
            form = of_one_column(name, "bytes", sql, _bytes_problem)
        case Boolean():
            form = of_one_column(name, "boolean", f"{name} IN (0, 1)", _boolean_problem)
        case UtcDateTime():
            form = of_one_column(name, "utc", f"{name} GLOB '{_UTC_GLOB}'", _moment_problem)
        case ScaledNumeric():
            form = _scaled(name, kind)
        case TextArray():
            sql = f"{name} IS NULL OR json_valid({name}) AND json_type({name}) = 'array'"
            form = of_one_column(name, "list", sql, _list_problem)
        case JSON():
            sql = f"{name} IS NULL OR json_valid({name})"  # it is 0 of NULL in older versions
            form = of_one_column(name, "json", sql, lambda _value: None)
        case _:
            pass
    return form


def _short_text(name: str, limit: int) -> Rule:
    def problem(value: object) -> str | None:
        if not isinstance(value, str):
            return f"must be text, not {type(value).__name__}"
        return None if len(value) <= limit else f"may have {limit} characters, not {len(value)}"

    return of_one_column(name, "length", f"length({name}) <= {limit}", problem)


def _scaled(name: str, kind: ScaledNumeric) -> Rule:
    def problem(value: object) -> str | None:
        try:
            kind.quantize(value)  # type: ignore[arg-type]  # it refuses what is no number
        except ValueError as error:
            return str(error)
        return None

    return of_one_column(name, "exact", f"typeof({name}) IN ('integer', 'null')", problem)


def _boolean_problem(value: object) -> str | None:
    return None if value in (True, False) else f"must be true or false, not {value!r}"


def _uuid_problem(value: object) -> str | None:
    return None if isinstance(value, UUID) else f"must be a UUID, not {type(value).__name__}"


def _bytes_problem(value: object) -> str | None:
    return None if isinstance(value, bytes) else f"must be bytes, not {type(value).__name__}"


def _moment_problem(value: object) -> str | None:
    try:
        require_aware(value)  # type: ignore[arg-type]  # it refuses what is no datetime
    except ValueError as error:
        return str(error)
    return None


def _list_problem(value: object) -> str | None:
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if is_list else "must be a list of text"
