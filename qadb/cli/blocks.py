"""Blocks: what a view says, before anybody decides how it looks.

Owns the vocabulary that views and renderers share. A view yields blocks; the plain renderer and
the terminal renderer draw them. Texts in blocks are raw: renderers make them safe to print.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Severity = Literal["ok", "warn", "crit"]
Alignment = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Marked:
    """A text with a severity, for a table's cell or a field's value."""

    text: str
    severity: Severity


Cell: TypeAlias = str | Marked


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows, set apart by a blank line above."""

    text: str


@dataclass(frozen=True, slots=True)
class Fields:
    """Labels and their values, aligned in two columns."""

    rows: Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; numbers align right."""

    title: str
    align: Alignment = "left"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under titled columns.

    Attributes:
        columns: one for each cell of a row.
        rows: cells in the columns' order.
        empty: the line shown in place of a table without rows.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    empty: str = "(none)"


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence, in the colour of its severity where there is colour."""

    text: str
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Blank:
    """An empty line."""


Block: TypeAlias = Heading | Fields | Table | Line | Blank


def cell_text(cell: Cell) -> str:
    """Return a cell's text without its severity."""
    return cell.text if isinstance(cell, Marked) else cell


def cell_severity(cell: Cell) -> Severity | None:
    """Return a cell's severity, if it has one."""
    return cell.severity if isinstance(cell, Marked) else None
