"""The arguments that many methods take, explained once for the whole page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from docs.generator.markdown import code, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Common:
    """An argument that means the same wherever it stands.

    Attributes:
        name: with its stars.
        kind: its type.
        meaning: Markdown.
        plainly: what docstrings say of it where they say no more than the meaning.
    """

    name: str
    kind: str
    meaning: str
    plainly: frozenset[str] = frozenset()


_COMMON = (
    Common(
        "*criteria",
        "ColumnElement[bool]",
        "SQLAlchemy conditions, such as `TestRun.total > TestRun.passed`",
        frozenset({"SQLAlchemy conditions."}),
    ),
    Common(
        "**filters",
        "object",
        "conditions by keyword: see [Filters](#filters)",
        frozenset(
            {
                "conditions by keyword.",
                "conditions by keyword, as in `list`.",
                "further conditions by keyword, as in `list`.",
                "further conditions by keyword, as there.",
            }
        ),
    ),
    Common(
        "order_by",
        "str | Sequence[str]",
        "a column's name or several; `-` in front turns one round; ties go by the primary key",
        frozenset(
            {
                "as in `list`.",
                "columns' names, as in `list`.",
                "columns' names; `-` in front turns one round. Ties go by the primary key.",
            }
        ),
    ),
    Common(
        "with_",
        "Iterable[str]",
        'relationships to load along, such as `with_=["application", "results.test_case"]`;'
        " SQLAlchemy's attributes and loader options do, too",
        frozenset(
            {
                "as there.",
                "relationships to load along.",
                "relationships to load along, as in `list`.",
                "relationships to load along, as names, dotted paths or attributes.",
            }
        ),
    ),
    Common(
        "limit",
        "int | None",
        "how many at most",
        frozenset({"as there.", "how many at most.", "return at most as many."}),
    ),
    Common(
        "after",
        "str | None",
        "the `next_cursor` of the page before; None begins",
        frozenset({"the cursor of the page before."}),
    ),
    Common(
        "include_deleted",
        "bool",
        "softly deleted rows, too",
        frozenset({"softly deleted rows too."}),
    ),
    Common(
        "days",
        "int",
        "length of the period, counted back from `now`; rows dated later belong to it",
        frozenset({"length of the period."}),
    ),
    Common(
        "now",
        "datetime | None",
        "the end of the period, or the moment to note; aware, the present by default",
        frozenset(
            {
                "aware; the present by default.",
                "its end, aware; the present by default.",
                "the moment to note, aware; the present by default.",
                "the period's end, aware; the present by default.",
            }
        ),
    ),
)

COMMON: Mapping[str, Common] = {each.name.lstrip("*"): each for each in _COMMON}


def arguments_table() -> Iterator[str]:
    """Yield the table of those that many take."""
    rows = ((code(each.name), code(each.kind), each.meaning) for each in _COMMON)
    return table(("argument", "type", ""), rows)


def says_more(name: str, text: str) -> bool:
    """Tell whether a docstring says of an argument what the table does not."""
    return name not in COMMON or text not in COMMON[name].plainly
