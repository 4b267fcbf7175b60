"""Progress on the command line: whether it is shown at all.

Owns the decision (a terminal, not quiet, work that lasts) and keeps it cheap. The bar itself is
drawn by `qadb.cli.progress_bar`, imported when there is something to draw.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from qadb.cli import streams
from qadb.progress import Progress, ProgressEvent, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELAY_SECONDS = 1.0


class Bar(Protocol):
    """What draws progress."""

    def update(self, event: ProgressEvent) -> None:
        """Draw an event."""
        ...

    def close(self) -> None:
        """Take the bar off the screen."""
        ...


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Progress]:
    """Yield a callback that draws a bar on stderr once the work has lasted a second."""
    if quiet or not streams.can_move("stderr"):
        yield no_progress
        return
    delayed = DelayedProgress(_open_bar)
    try:
        yield delayed
    finally:
        delayed.close()


class DelayedProgress:
    """Passes events on to a bar that it opens when the work has lasted long enough.

    Args:
        open_bar: makes the bar, at most once.
        clock: monotonic seconds.
    """

    def __init__(
        self, open_bar: Callable[[], Bar], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._open_bar = open_bar
        self._clock = clock
        self._due = clock() + DELAY_SECONDS
        self._bar: Bar | None = None

    def __call__(self, event: ProgressEvent) -> None:
        """Draw the event, or let it pass while the work is young."""
        if self._bar is None:
            if self._clock() < self._due:
                return
            self._bar = self._open_bar()
        self._bar.update(event)

    def close(self) -> None:
        """Take the bar off the screen, if there is one."""
        if self._bar is not None:
            self._bar.close()


def _open_bar() -> Bar:
    from qadb.cli.progress_bar import ProgressBar  # noqa: PLC0415 - Rich only where it is seen

    return ProgressBar()
