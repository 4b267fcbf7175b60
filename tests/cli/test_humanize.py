"""Numbers and times as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from qadb.humanize import (
    format_count,
    format_duration,
    format_percentage,
    format_size,
    format_time,
)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2_000_000_000, "2.0 GB"),
        (3 * 10**18, "3,000.0 PB"),
        (-1500, "-1.5 kB"),
    ],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.00949, "9.5 ms"),
        (0.0099, "10 ms"),
        (0.34, "340 ms"),
        (0.9996, "1.0 s"),
        (2.34, "2.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (123, "2 min 3 s"),
        (3599.6, "1 h 0 min"),
        (7260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
        (-2, "-2.0 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_times_show_their_offset() -> None:
    moment = datetime(2026, 11, 22, 7, 15, 0, 999_000, tzinfo=UTC)

    zone = timezone(timedelta(hours=1))
    assert format_time(moment, zone) == "2026-11-22 08:15:00+01:00"
    assert datetime.fromisoformat(format_time(moment)) == moment.replace(microsecond=0)


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        format_time(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_counts_have_separators() -> None:
    assert format_count(1_234_567) == "1,234,567"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(1, "100.0 %"), (0.99999, "99.9 %"), (0.5, "50.0 %"), (0.0001, "0.1 %"), (0, "0.0 %")],
)
def test_percentages_are_whole_only_when_nothing_is_missing(fraction: float, text: str) -> None:
    assert format_percentage(fraction) == text
