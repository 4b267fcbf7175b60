"""Output: stdout is the answer, stderr is everything else.

Owns which of text and JSON is written, when ``--quiet`` says nothing, and that a JSON command
writes one document and no more. How blocks look is the renderers' work; how bytes get out is
`qadb.cli.streams`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from qadb.cli import streams
from qadb.cli.json_document import JsonObject, encode
from qadb.cli.render_plain import render_plain
from qadb.cli.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qadb.cli.blocks import Block


class Output:
    """Writes one command's answer and what is said beside it.

    Attributes:
        as_json: the answer is a JSON document.
        quiet: notes, progress and the text of a success are left out.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._has_answered = False

    def answer(self, document: JsonObject, blocks: Iterable[Block], *, succeeded: bool) -> None:
        """Write the answer to stdout; ``--quiet`` leaves out the text of a success only."""
        if self.as_json:
            self.document(document)
        elif not (self.quiet and succeeded):
            streams.write("stdout", _render(blocks))

    def raw(self, text: str) -> None:
        """Write text for a program to stdout as it is."""
        self._has_answered = True
        streams.write("stdout", text)

    def document(self, document: JsonObject) -> None:
        """Write a JSON document to stdout, unless one was written before."""
        if self._has_answered:
            return
        text = encode(document, streams.encoding("stdout"))
        self._has_answered = True
        streams.write("stdout", text)

    def note(self, text: str) -> None:
        """Say something useful that nobody has to act on."""
        if not self.quiet:
            _say(one_line(text))

    def warn(self, text: str) -> None:
        """Say something that somebody should look at; ``--quiet`` does not silence it."""
        _say(f"{_coloured('Warning:', 'yellow')} {one_line(text)}")

    def error(self, message: str, hint: str | None, *, label: str = "Error:") -> None:
        """Say what failed and what to do next."""
        _say(f"{_coloured(label, 'red')} {one_line(message)}".lstrip())
        if hint:
            _say(f"{_coloured('Hint:', 'cyan')} {one_line(hint)}")


def _render(blocks: Iterable[Block]) -> str:
    if not streams.shows_colour("stdout"):
        return render_plain(blocks)
    from qadb.cli.render_rich import render_rich  # noqa: PLC0415 - Rich only where it is seen

    return render_rich(blocks)


def _coloured(text: str, colour: str) -> str:
    if not text or not streams.shows_colour("stderr"):
        return text
    return typer.style(text, fg=colour, bold=True)


def _say(line: str) -> None:
    streams.write("stderr", f"{line}\n")
