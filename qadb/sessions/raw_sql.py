"""Finds raw SQL in a statement: whatever SQLAlchemy would copy into the text as it stands.

Such a fragment may close a parenthesis or hold a query of its own, so nothing can be proved about a
statement with one. Let through are plain numbers and ``*``, which SQLAlchemy writes so by itself,
and the word by which a common table expression is worked out once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import ColumnClause, TableClause, TextClause
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import Cast, ClauseElement, quoted_name
from sqlalchemy.sql.expression import Extract
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.lambdas import DeferredLambdaElement, LambdaElement
from sqlalchemy.sql.operators import custom_op

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table
    from sqlalchemy.types import TypeEngine

_PLAIN = re.compile(r"\s*(\d+|\*)\s*|MATERIALIZED")
_FIELD = re.compile(r"\w+")
_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|`?]{1,4}")
_KNOWN_MODULES = ("sqlalchemy.", "qadb.")
_NAMES = ("name", "collation")
_TEXT_PARTS = ("_suffixes", "_hints", "_statement_hints")

# Functions of PostgreSQL and its extensions that run a query given as text, read whole tables by
# name, show what others are doing, or change what row-level security goes by.
_SQL_RUNNING = re.compile(
    r"(query|cursor|table|schema|database)_to_xml.*|ts_stat|ts_rewrite|set_config|dblink.*"
    r"|crosstab.*|connectby|xpath_table|lo_.*|load_extension|eval|edit"
    r"|pg_(?!(try_)?advisory_|sleep|column_size|size_pretty|typeof).*"
)


def find_raw_sql(
    statement: ClauseElement, tables: frozenset[Table], known_texts: frozenset[str]
) -> str | None:
    """Say what raw SQL there is, or a table that is none of those given; None when all is well.

    Args:
        statement: is searched, subqueries, lambdas and loader options included.
        tables: those that a statement may name.
        known_texts: texts that are let through.
    """
    for element in _walk(statement):
        if isinstance(element, TextClause) and element.text in known_texts:
            continue
        problem = _problem(element, tables)
        if problem is not None:
            return problem
    return None


def _walk(statement: ClauseElement) -> Iterator[ClauseElement]:
    for element in visitors.iterate(statement):
        if not isinstance(element, ClauseElement):
            continue
        yield element
        if isinstance(element, LambdaElement):
            yield from _walk(element._resolved)  # noqa: SLF001 - what the lambda returned has no public name
        for option in getattr(element, "_with_options", ()):
            for clause in _clauses_of(option):
                yield from _walk(clause)


def _clauses_of(option: object) -> Iterator[ClauseElement]:
    """Conditions and expressions inside a loader option, which no traversal reaches."""
    found = [getattr(option, "where_criteria", None)]
    for part in (option, *getattr(option, "context", ())):
        found += getattr(part, "_extra_criteria", ())
        found += (getattr(part, "local_opts", None) or {}).values()
    for value in found:
        if isinstance(value, ClauseElement):
            yield value


def _problem(element: ClauseElement, tables: frozenset[Table]) -> str | None:
    found: str | None = None
    if not type(element).__module__.startswith(_KNOWN_MODULES):
        found = f"the construct {type(element).__name__}"
    elif isinstance(element, DeferredLambdaElement):
        found = "a condition given as a lambda in an option"
    elif _has_prefix(element) or any(getattr(element, part, None) for part in _TEXT_PARTS):
        found = "a prefix, suffix or hint"
    elif isinstance(element, TextClause):
        found = None if _PLAIN.fullmatch(element.text) else "text()"
    elif isinstance(element, ColumnClause) and element.is_literal:
        found = None if _PLAIN.fullmatch(str(element.name)) else "literal_column()"
    elif isinstance(element, TableClause) and element not in tables:
        found = f"the table {element.name}, which has no model"
    elif isinstance(element, FunctionElement):
        name = str(getattr(element, "name", ""))
        found = f"{name}(), which runs SQL" if _SQL_RUNNING.fullmatch(name.lower()) else None
    elif isinstance(element, Extract):
        found = None if _FIELD.fullmatch(element.field) else "extract() of an expression"
    return found or _name_problem(element) or _operator_problem(element)


def _has_prefix(element: ClauseElement) -> bool:
    prefixes = getattr(element, "_prefixes", ())
    return any(not _PLAIN.fullmatch(str(prefix)) for prefix, _ in prefixes)


def _name_problem(element: ClauseElement) -> str | None:
    if any(_is_text(getattr(element, part, None)) for part in _NAMES):
        return "a name that is not to be quoted"
    if isinstance(element, Cast) and not _is_plain(element.type):
        return f"a cast to {type(element.type).__name__}"
    return None


def _is_text(name: object) -> bool:
    """Tell whether a name goes into the text as it stands, and is none."""
    return isinstance(name, quoted_name) and name.quote is False and not _FIELD.fullmatch(name)


def _is_plain(kind: TypeEngine[object]) -> bool:
    """Tell whether a type's SQL is SQLAlchemy's own, with numbers where it takes some."""
    numbers = (getattr(kind, part, None) for part in ("length", "precision", "scale"))
    known = type(kind).__module__.startswith(_KNOWN_MODULES)
    return known and all(number is None or isinstance(number, int) for number in numbers)


def _operator_problem(element: ClauseElement) -> str | None:
    for name in ("operator", "modifier"):
        operator = getattr(element, name, None)
        if isinstance(operator, custom_op) and not _OPERATOR.fullmatch(operator.opstring):
            return "op() with more than an operator"
    return None
