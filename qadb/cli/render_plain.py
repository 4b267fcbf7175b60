"""The plain renderer: aligned lines for files, pipes, cron and terminals without colour.

Nothing is cut, wrapped or coloured, and nothing heavy is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.cli.blocks import Alignment, Blank, Block, Fields, Heading, Line, Table, cell_text
from qadb.cli.text import display_width, escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_GAP = "  "


def render_plain(blocks: Iterable[Block]) -> str:
    """Render blocks as text that ends with a line break (empty when there are no blocks)."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Heading) and lines and lines[-1]:
            lines.append("")
        lines.extend(_render(block))
    return "".join(f"{line}\n" for line in lines)


def _render(block: Block) -> Iterator[str]:
    match block:
        case Heading(text) | Line(text, _):
            yield escape_controls(text)
        case Blank():
            yield ""
        case Fields(rows):
            cells = [(f"{label}:", cell_text(value)) for label, value in rows]
            yield from _align(cells, ("left", "left"))
        case Table():
            yield from _render_table(block)


def _render_table(table: Table) -> Iterator[str]:
    if not table.rows:
        yield escape_controls(table.empty)
        return
    titles = [column.title for column in table.columns]
    rows = [[cell_text(cell) for cell in row] for row in table.rows]
    yield from _align([titles, *rows], [column.align for column in table.columns])


def _align(rows: Sequence[Sequence[str]], alignments: Sequence[Alignment]) -> Iterator[str]:
    safe = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [max(map(display_width, column)) for column in zip(*safe, strict=True)]
    for row in safe:
        cells = zip(row, widths, alignments, strict=True)
        yield _GAP.join(_pad(cell, width, align) for cell, width, align in cells).rstrip()


def _pad(text: str, width: int, align: Alignment) -> str:
    padding = " " * (width - display_width(text))
    return padding + text if align == "right" else text + padding
