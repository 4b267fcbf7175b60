"""Forms: the rules that follow from a column's type.

PostgreSQL's types refuse a long string, a naive text for a time or a 7 for a boolean by themselves;
SQLite's store anything. What PostgreSQL's own types still take, and Python doesn't, are moments
that no calendar of four digits has, NaN, and lists with gaps. Owns the CHECKs that each engine
needs, and the same as a ValueError on the models of both. The members of SQLite's lists, which no
CHECK reaches, are looked at in `qadb.models.text_lists`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    Uuid,
)
from sqlalchemy.types import NullType

from qadb.models.rules import Rule, of_one_column
from qadb.models.types import ScaledNumeric, TextArray, UtcDateTime, require_aware

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Column, Table

_Problem: TypeAlias = Callable[[object], str | None]

# Counting on from the moment finds what is none: 30 February, the hour 24. Python's years begin
# with 1. It takes what `datetime.fromisoformat` reads, and nothing else.
_UTC_ON_SQLITE = (
    "{0} GLOB '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'"
    " AND date(substr({0}, 1, 19), '+0 days') IS substr({0}, 1, 10) AND {0} > '0001'"
)
_UTC_ON_POSTGRESQL = (
    "{0} >= timestamp '0001-01-01' AT TIME ZONE 'UTC'"
    " AND {0} < timestamp '10000-01-01' AT TIME ZONE 'UTC'"
)
_LIST_ON_SQLITE = "{0} IS NULL OR json_valid({0}) AND json_type({0}) = 'array'"
_LIST_ON_POSTGRESQL = "array_ndims({0}) = 1 AND array_position({0}, NULL) IS NULL"
_JSON_ON_SQLITE = "{0} IS NULL OR json_valid({0})"  # it is 0 of NULL in older versions
_UUID_ON_SQLITE = "length({0}) = 32 AND trim({0}, '0123456789abcdef') = ''"


@dataclass(frozen=True, slots=True)
class Form:
    """What may stand in a column.

    Attributes:
        rule: what the models refuse.
        checks: the CHECK of each engine that needs one, by the engine's name.
    """

    rule: Rule
    checks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """The same of a type: last part of the constraints' name, and SQL without the column's name."""

    suffix: str
    problem: _Problem
    checks: Mapping[str, str]


def forms_of(table: Table, rules: Iterable[Rule]) -> Iterator[Form]:
    """Yield the form of every column whose own rules leave its type open."""
    ruled = {column for rule in rules if len(rule.columns) == 1 for column in rule.columns}
    for column in table.columns:
        if column.foreign_keys and isinstance(column.type, String | Integer | NullType):
            yield _of_reference(column)
        elif not (isinstance(column.type, String) and column.name in ruled):
            yield from _of_type(column)


def _of_reference(column: Column[object]) -> Form:
    """A foreign key's text or number needs no CHECK: it holds what its parent holds.

    Its type may be the parent's, which SQLAlchemy knows only when that is there.
    """

    def problem(value: object) -> str | None:
        kind = _kind_of(column.type)
        return None if kind is None else kind.problem(value)

    return Form(of_one_column(column.name, "reference", "", problem), {})


def _of_type(column: Column[object]) -> Iterator[Form]:
    kind = _kind_of(column.type)
    if kind is not None:
        checks = {} if _is_row_id(column) else kind.checks
        written = {engine: sql.format(column.name) for engine, sql in checks.items()}
        yield Form(of_one_column(column.name, kind.suffix, "", kind.problem), written)


def _is_row_id(column: Column[object]) -> bool:
    """Whether SQLite numbers the rows by it, and takes nothing else for it."""
    is_alone = column.primary_key and len(column.table.primary_key.columns) == 1
    return is_alone and isinstance(column.type, Integer)


def _whole(lowest: int, highest: int) -> str:
    """Whole numbers of a range; SQLite's own integers end where bigint does."""
    is_own = highest == 2**63 - 1
    between = "" if is_own else f" AND {{0}} BETWEEN {lowest} AND {highest}"
    return f"typeof({{0}}) IN ('integer', 'null'){between}"


def _long_text_problem(limit: int) -> _Problem:
    def problem(value: object) -> str | None:
        if not isinstance(value, str):
            return f"must be text, not {type(value).__name__}"
        return None if len(value) <= limit else f"may have {limit} characters, not {len(value)}"

    return problem


def _integer_problem(limit: int) -> _Problem:
    def problem(value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number, not {type(value).__name__}"
        if -limit <= value < limit:
            return None
        return f"must lie between {-limit} and {limit - 1}, not {value}"

    return problem


def _scaled_problem(kind: ScaledNumeric) -> _Problem:
    def problem(value: object) -> str | None:
        try:
            kind.quantize(value)  # type: ignore[arg-type]  # it refuses what is no number
        except ValueError as error:
            return str(error)
        return None

    return problem


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
    except OverflowError:
        return "must lie in the years 1 to 9999 in UTC"
    return None


def _list_problem(value: object) -> str | None:
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if is_list else "must be a list of text"


_PLAIN: tuple[tuple[type[object], _Kind], ...] = (
    (Uuid, _Kind("uuid", _uuid_problem, {"sqlite": _UUID_ON_SQLITE})),
    (LargeBinary, _Kind("bytes", _bytes_problem, {"sqlite": "typeof({0}) IN ('blob', 'null')"})),
    (Boolean, _Kind("boolean", _boolean_problem, {"sqlite": "{0} IN (0, 1)"})),
    (
        UtcDateTime,
        _Kind("utc", _moment_problem, {"sqlite": _UTC_ON_SQLITE, "postgresql": _UTC_ON_POSTGRESQL}),
    ),
    (
        TextArray,
        _Kind(
            "list", _list_problem, {"sqlite": _LIST_ON_SQLITE, "postgresql": _LIST_ON_POSTGRESQL}
        ),
    ),
    (JSON, _Kind("json", lambda _value: None, {"sqlite": _JSON_ON_SQLITE})),
)
_BITS: tuple[tuple[type[Integer], int], ...] = ((SmallInteger, 16), (BigInteger, 64), (Integer, 32))


def _kind_of(type_: object) -> _Kind | None:
    """Return what there is to say of a type; None where every value will do."""
    match type_:
        case String(length=int() as limit) if not isinstance(type_, Text):
            checks = {"sqlite": f"length({{0}}) <= {limit}"}
            return _Kind("length", _long_text_problem(limit), checks)
        case Integer():
            bits = next(bits for known, bits in _BITS if isinstance(type_, known))
            limit = 2 ** (bits - 1)
            return _Kind("integer", _integer_problem(limit), {"sqlite": _whole(-limit, limit - 1)})
        case ScaledNumeric():
            highest = 10**type_.precision - 1
            checks = {"sqlite": _whole(-highest, highest), "postgresql": "{0} <> 'NaN'"}
            return _Kind("exact", _scaled_problem(type_), checks)
        case _:
            return next((kind for known, kind in _PLAIN if isinstance(type_, known)), None)
