"""The filters' operators, each with an example and the SQL that it becomes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from docs.generator.markdown import code, table
from qadb.models import TestRun
from qadb.repositories.generic.filters import OPERATORS, SEPARATOR, conditions

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of each operator: a column, a value, and what SQL leaves unsaid.
EXAMPLES: dict[str, tuple[str, object, str]] = {
    "": ("status", "completed", "is this; `None` finds NULL"),
    "eq": ("status", "completed", "the same"),
    "ne": ("branch", "main", "is anything else; NULL is, too"),
    "lt": ("total", 100, "is less"),
    "lte": ("total", 100, "is less, or this"),
    "gt": ("total", 100, "is more"),
    "gte": ("total", 100, "is more, or this"),
    "in": ("status", ["failed", "cancelled"], "is one of these; `None` among them finds NULL"),
    "notin": (
        "branch",
        ["main", "next"],
        "is none of these; NULL is none, unless `None` is listed",
    ),
    "between": ("total", [10, 100], "lies between, bounds included"),
    "isnull": ("branch", True, "is NULL; with `False`: is not"),
    "like": ("branch", "release/%", "has this pattern: `%` is any text, `_` one character"),
    "ilike": ("branch", "release/%", "the same, whatever the case"),
    "contains": ("branch", "pay", "has this text in it; here `%` and `_` are themselves"),
    "icontains": ("branch", "pay", "the same, whatever the case"),
    "startswith": ("branch", "fix-", "begins with this text"),
    "istartswith": ("branch", "fix-", "the same, whatever the case"),
    "endswith": ("branch", "-rc", "ends with this text"),
    "iendswith": ("branch", "-rc", "the same, whatever the case"),
}


def operators_table() -> Iterator[str]:
    """Yield the table; raises KeyError for an operator without an example."""
    return table(("filter", "", "SQL"), (_row(operator) for operator in OPERATORS))


def _row(operator: str) -> tuple[str, str, str]:
    column, value, words = EXAMPLES[operator]
    keyword = f"{column}{SEPARATOR}{operator}" if operator else column
    text = "True" if value is True else json.dumps(value)
    return code(f"{keyword}={text}"), words, code(_sql(keyword, value))


def _sql(keyword: str, value: object) -> str:
    (condition,) = conditions(TestRun, {keyword: value})
    compiled = condition.compile(compile_kwargs={"literal_binds": True})
    return str(compiled).replace(f"{TestRun.__tablename__}.", "")
