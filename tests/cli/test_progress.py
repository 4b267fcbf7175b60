"""Progress: shown late, drawn once, taken away."""

from __future__ import annotations

import io
import sys

import pytest

from qadb.cli.progress import DelayedProgress, show_progress
from qadb.cli.progress_bar import ProgressBar, format_amount
from qadb.progress import ProgressEvent, no_progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeBar:
    def __init__(self) -> None:
        self.events: list[ProgressEvent] = []
        self.is_closed = False

    def update(self, event: ProgressEvent) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.is_closed = True


def event(done: int) -> ProgressEvent:
    return ProgressEvent("copying", done, 10, "steps")


def test_bar_is_opened_once_and_only_after_a_second() -> None:
    clock, bars = Clock(), [FakeBar(), FakeBar()]
    unused = bars.copy()
    progress = DelayedProgress(lambda: unused.pop(0), clock)

    clock.now += 0.9
    progress(event(1))
    assert unused == bars

    clock.now += 0.2
    progress(event(2))
    progress(event(3))
    progress.close()

    assert unused == bars[1:]
    assert [seen.done for seen in bars[0].events] == [2, 3]
    assert bars[0].is_closed


def test_work_without_a_bar_closes_nothing() -> None:
    DelayedProgress(FakeBar, Clock()).close()


def test_nothing_is_shown_off_a_terminal() -> None:
    with show_progress(quiet=False) as progress:
        assert progress is no_progress
        progress(event(1))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (format_amount(1_234_000, "bytes"), "1.2 MB"),
        (format_amount(1234.4, "rows"), "1,234 rows"),
        (format_amount(3, "steps"), "3 steps"),
    ],
)
def test_amounts_are_in_their_unit(amount: str, text: str) -> None:
    assert amount == text


def test_bar_shows_one_label_at_a_time_and_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "120")
    bar = ProgressBar()
    try:
        bar.update(ProgressEvent("reading\x07", 5, None, "rows"))
        bar.refresh()
        first = screen.getvalue()
        bar.update(ProgressEvent("writing", 1_000_000, 4_000_000, "bytes"))
        bar.refresh()
        second = screen.getvalue()[len(first) :]
    finally:
        bar.close()

    assert r"reading\x07" in first
    assert "5 rows" in first
    assert "reading" not in second
    assert "1.0 MB of 4.0 MB" in second
