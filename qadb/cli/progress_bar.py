"""The progress bar: label, bar, amount, rate and time left, on a terminal's stderr.

Imported only when a bar is drawn.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from qadb.cli import streams
from qadb.cli.render_rich import make_console
from qadb.cli.text import escape_controls
from qadb.humanize import format_count, format_size

if TYPE_CHECKING:
    from qadb.progress import ProgressEvent, Unit


class ProgressBar:
    """Draws events; each label has a bar of its own, and a new label finishes the last one."""

    def __init__(self) -> None:
        console = make_console(sys.stderr, colour=streams.shows_colour("stderr"))
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            AmountColumn(),
            RateColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,  # the answer never passes through Rich
        )
        self._progress.start()
        self._label: str | None = None
        self._task = TaskID(0)

    def update(self, event: ProgressEvent) -> None:
        """Draw an event."""
        if event.label != self._label:
            self._begin(event)
        self._progress.update(self._task, completed=event.done, total=event.total)

    def refresh(self) -> None:
        """Draw now, not at the next tick."""
        self._progress.refresh()

    def close(self) -> None:
        """Take the bar off the screen."""
        self._progress.stop()

    def _begin(self, event: ProgressEvent) -> None:
        if self._label is not None:
            self._progress.remove_task(self._task)
        self._label = event.label
        self._task = self._progress.add_task(
            escape_controls(event.label), total=event.total, unit=event.unit
        )


class AmountColumn(ProgressColumn):
    """How much is done, of how much."""

    def render(self, task: Task) -> Text:
        """Draw the amount."""
        unit: Unit = task.fields["unit"]
        done = format_amount(task.completed, unit)
        if task.total is None:
            return Text(done)
        return Text(f"{done} of {format_amount(task.total, unit)}")


class RateColumn(ProgressColumn):
    """How fast it goes."""

    def render(self, task: Task) -> Text:
        """Draw the rate, once one is known."""
        speed = task.speed
        return Text(f"{format_amount(speed, task.fields['unit'])}/s" if speed else "")


def format_amount(amount: float, unit: Unit) -> str:
    """Format an amount in its unit: ``1.2 MB``, ``1,234 rows``."""
    if unit == "bytes":
        return format_size(round(amount))
    return f"{format_count(round(amount))} {unit}"
