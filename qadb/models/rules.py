"""Rules a row must keep, written once: each is a CHECK in the database and a ValueError before it.

Owns the rules' SQL and their meaning in Python, which agree on both engines. NULL passes, as in
SQL. Which table has which rules is said in its model; rules that follow from a column's type lie in
`qadb.models.forms`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

LOWER_CASE = "abcdefghijklmnopqrstuvwxyz"
UPPER_CASE = LOWER_CASE.upper()
DIGITS = "0123456789"

Problem: TypeAlias = Callable[[tuple[object, ...]], str | None]

_EMAIL = re.compile(r".+@.+\..+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule over one or more columns of a row.

    Attributes:
        name: last part of the constraint's name.
        columns: what the rule looks at.
        sql: the condition, in SQL that both engines read alike.
        problem: says what is wrong with the columns' values, given in order, or returns None.
    """

    name: str
    columns: tuple[str, ...]
    sql: str
    problem: Problem


def of_one_column(
    column: str, suffix: str, sql: str, problem: Callable[[object], str | None]
) -> Rule:
    """Make a rule over a single value that is not NULL."""

    def problem_unless_null(values: tuple[object, ...]) -> str | None:
        return None if values[0] is None else problem(values[0])

    return Rule(f"{column}_{suffix}", (column,), sql, problem_unless_null)


def one_of(column: str, words: tuple[str, ...]) -> Rule:
    """The value is one of a few words."""
    quoted = ", ".join(f"'{word}'" for word in words)

    def problem(value: object) -> str | None:
        return None if value in words else f"must be one of {', '.join(words)}, not {value!r}"

    return of_one_column(column, "known", f"{column} IN ({quoted})", problem)


def at_least(column: str, bound: int) -> Rule:
    """The number is not below a bound; for decimals the only bound that SQLite compares is 0."""
    return _bounded(
        column, f"{column} >= {bound}", lambda number: number >= bound, f"at least {bound}"
    )


def positive(column: str) -> Rule:
    """The number is above zero."""
    return _bounded(column, f"{column} > 0", lambda number: number > 0, "above 0")


def _bounded(column: str, sql: str, holds: Callable[[Decimal], bool], wanted: str) -> Rule:
    def problem(value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return f"must be a number, not {type(value).__name__}"
        number = Decimal(value)
        return None if number.is_finite() and holds(number) else f"must be {wanted}, not {value}"

    return of_one_column(column, "range", sql, problem)


def fraction(column: str) -> Rule:
    """The number, a float, lies between 0 and 1."""
    return _bounded(
        column,
        f"{column} BETWEEN 0 AND 1",
        lambda number: 0 <= number <= 1,
        "between 0 and 1",
    )


def length(column: str, minimum: int, maximum: int) -> Rule:
    """The text has so many characters."""

    def problem(value: object) -> str | None:
        if not isinstance(value, str):
            return f"must be text, not {type(value).__name__}"
        if minimum <= len(value) <= maximum:
            return None
        return f"must have {minimum} to {maximum} characters, not {len(value)}"

    return of_one_column(
        column, "length", f"length({column}) BETWEEN {minimum} AND {maximum}", problem
    )


def made_of(column: str, characters: str, minimum: int, maximum: int) -> Rule:
    """The text has so many characters, all of a given few.

    Trimming all of them away is the one way to say so that both engines know.
    """
    size = f"= {minimum}" if minimum == maximum else f"BETWEEN {minimum} AND {maximum}"
    sql = f"length({column}) {size} AND trim({column}, '{characters}') = ''"
    allowed = frozenset(characters)

    def problem(value: object) -> str | None:
        text = str(value)
        if minimum <= len(text) <= maximum and allowed.issuperset(text):
            return None
        return f"must have {minimum} to {maximum} characters out of {characters}"

    return of_one_column(column, "shape", sql, problem)


def email(column: str) -> Rule:
    """The text looks like an address: something, @, a name with a dot, no blank."""
    sql = f"{column} LIKE '%_@_%._%' AND {column} NOT LIKE '% %'"

    def problem(value: object) -> str | None:
        text = str(value)
        if _EMAIL.fullmatch(text) and " " not in text:
            return None
        return "must look like name@example.org"

    return of_one_column(column, "shape", sql, problem)


def not_before(later: str, earlier: str) -> Rule:
    """One moment does not lie before another."""

    def problem(values: tuple[object, ...]) -> str | None:
        after, before = values
        if not (isinstance(after, datetime) and isinstance(before, datetime)) or after >= before:
            return None
        return f"{after} lies before {earlier} {before}"

    return Rule(f"{later}_order", (later, earlier), f"{later} >= {earlier}", problem)


def at_most(column: str, other: str) -> Rule:
    """The number is not above another column's; one not set yet counts as its default, 0."""

    def problem(values: tuple[object, ...]) -> str | None:
        number, limit = (int(str(value or 0)) for value in values)
        return None if number <= limit else f"{number} is above {other} {limit}"

    return Rule(f"{column}_limit", (column, other), f"{column} <= {other}", problem)


def below(column: str, other: str) -> Rule:
    """The number is below another column's, where both are given."""

    def problem(values: tuple[object, ...]) -> str | None:
        number, limit = values
        if not (isinstance(number, int) and isinstance(limit, int)) or number < limit:
            return None
        return f"{number} is not below {other} {limit}"

    return Rule(f"{column}_limit", (column, other), f"{column} < {other}", problem)


def float32_bytes(column: str) -> Rule:
    """The bytes are one or more numbers of four bytes each."""
    sql = f"length({column}) > 0 AND length({column}) % 4 = 0"

    def problem(value: object) -> str | None:
        if not isinstance(value, bytes):
            return f"must be bytes, not {type(value).__name__}"
        whole = len(value) > 0 and len(value) % 4 == 0
        return None if whole else f"must have four bytes a number, not {len(value)} in all"

    return of_one_column(column, "float32", sql, problem)


def sum_of(total: str, parts: tuple[str, ...]) -> Rule:
    """The parts add up to the total; columns not set yet count as their default, 0."""

    def problem(values: tuple[object, ...]) -> str | None:
        first, *rest = (int(str(value or 0)) for value in values)
        if first == sum(rest):
            return None
        return f"{first} is not {' + '.join(parts)} = {sum(rest)}"

    return Rule(f"{total}_sum", (total, *parts), f"{total} = {' + '.join(parts)}", problem)


def null_when(column: str, other: str, word: str) -> Rule:
    """The column is empty while another holds a given word."""

    def problem(values: tuple[object, ...]) -> str | None:
        value, state = values
        return (
            f"must be empty when {other} is {word}" if value is not None and state == word else None
        )

    return Rule(
        f"{column}_{word}", (column, other), f"{column} IS NULL OR {other} <> '{word}'", problem
    )
