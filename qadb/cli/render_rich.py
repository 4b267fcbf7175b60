"""The terminal renderer: the same blocks in colour, wrapped to the terminal's width.

Imported only when stdout is a terminal that shows colour. Every text becomes a ``Text``, so that
nothing in it is read as markup.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from qadb.cli.blocks import (
    Blank,
    Block,
    Cell,
    Fields,
    Heading,
    Line,
    Severity,
    Table,
    cell_severity,
    cell_text,
)
from qadb.cli.text import escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterable

_STYLES: dict[Severity | None, str] = {
    None: "",
    "ok": "green",
    "warn": "yellow",
    "crit": "bold red",
}


def make_console(stream: TextIO, *, colour: bool = True) -> Console:
    """Make a console that leaves texts alone: no markup, no emoji, no highlighting."""
    return Console(
        file=stream,
        force_terminal=True,  # the caller has looked; Rich would ask the environment as well
        no_color=not colour,
        markup=False,
        emoji=False,
        highlight=False,
    )


def render_rich(blocks: Iterable[Block]) -> str:
    """Render blocks as text with colours, as wide as the terminal."""
    drawn = StringIO()
    console = make_console(drawn)
    needs_gap = False
    for block in blocks:
        if isinstance(block, Heading) and needs_gap:
            console.print()
        console.print(_render(block))
        needs_gap = not isinstance(block, Blank)
    return drawn.getvalue()


def _render(block: Block) -> RenderableType:
    match block:
        case Heading(text):
            return Text(escape_controls(text), style="bold")
        case Line(text, severity):
            return Text(escape_controls(text), style=_STYLES[severity])
        case Blank():
            return Text("")
        case Fields(rows):
            return _render_fields(rows)
        case Table():
            return _render_table(block)


def _cell(cell: Cell) -> Text:
    return Text(
        escape_controls(cell_text(cell)), style=_STYLES[cell_severity(cell)], overflow="fold"
    )


def _render_fields(rows: Iterable[tuple[str, Cell]]) -> RenderableType:
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(Text(f"{escape_controls(label)}:"), _cell(value))
    return grid


def _render_table(table: Table) -> RenderableType:
    if not table.rows:
        return Text(escape_controls(table.empty), style="dim")
    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for column in table.columns:
        drawn.add_column(Text(escape_controls(column.title)), justify=column.align, overflow="fold")
    for row in table.rows:
        drawn.add_row(*[_cell(cell) for cell in row])
    return drawn
