"""Durations and timestamps in the spellings of real tools."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qadb.reports.remarks import Remark
from qadb.reports.times import MAX_SUITE_SECONDS, read_duration_ms, read_timestamp

NOON = datetime(2024, 1, 3, 12, 40, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0.0),
        ("1", 1000.0),
        ("0.0123456", 12.346),
        (".5", 500.0),
        ("5.", 5000.0),
        ("1.7e-05", 0.017),
        ("1E2", 100_000.0),
        (" 2.5 ", 2500.0),
        ("+3", 3000.0),
        ("0,5", 500.0),
        ("12,25", 12_250.0),
        ("0,123", 123.0),
        ("1234,567", 1_234_567.0),
        ("2,503.1", 2_503_100.0),
        ("1.234,5", 1_234_500.0),
        ("1.5s", 1500.0),
        ("12 ms", 12.0),
        ("250us", 0.25),
        ("7 µs", 0.007),
        ("3 seconds", 3000.0),
        ("0:01:02.5", 62_500.0),
        ("950400", 950_400_000.0),
    ],
)
def test_durations_are_read_as_written(text: str, milliseconds: float) -> None:
    assert read_duration_ms(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("2,503", Remark.TIME_AMBIGUOUS),
        ("-345245", Remark.TIME_NEGATIVE),
        ("-0,5", Remark.TIME_NEGATIVE),
        ("nan", Remark.TIME_UNREADABLE),
        ("-inf", Remark.TIME_UNREADABLE),
        ("1e999", Remark.TIME_UNREADABLE),
        ("<<computed>>", Remark.TIME_UNREADABLE),
        ("1.2.3", Remark.TIME_UNREADABLE),
        ("5 parsecs", Remark.TIME_UNREADABLE),
        ("950401", Remark.TIME_ABSURD),
        ("12,345,678.9", Remark.TIME_ABSURD),
        ("1,234,567", Remark.TIME_ABSURD),
        ("1.234.567", Remark.TIME_ABSURD),
    ],
)
def test_doubtful_durations_are_remarked_instead_of_guessed(text: str, remark: Remark) -> None:
    assert read_duration_ms(text) is remark


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_a_blank_duration_is_silently_none(text: str) -> None:
    assert read_duration_ms(text) is None


def test_a_suite_may_last_longer_than_a_test() -> None:
    assert read_duration_ms("1,234,567", MAX_SUITE_SECONDS) == 1_234_567_000.0


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-03T12:40:13Z",
        "2024-01-03 12:40:13Z",
        "2024-01-03t12:40:13z",
        "2024-01-03T12:40:13+00:00",
        "2024-01-03T13:40:13+01:00",
        "2024-01-03T11:10:13-0130",
        "2024-01-03T14:40:13+02",
        "2024-01-03 12:40:13 UTC",
        "2024-01-03T12:40:13.000000000Z",
        "Wed, 03 Jan 2024 12:40:13 GMT",
        "Wed, 3 Jan 2024 13:40:13 +0100",
        "1704285613",
        "1704285613000",
        " 2024-01-03T12:40:13Z\n",
    ],
)
def test_a_moment_with_a_zone_is_read_in_every_spelling(text: str) -> None:
    moment = read_timestamp(text)
    assert moment == NOON
    assert isinstance(moment, datetime)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["2024-01-03T12:40:13", "2024-01-03 12:40:13", "2024-01-03T 12:40:13"]
)
def test_a_moment_without_a_zone_stays_naive(text: str) -> None:
    assert read_timestamp(text) == NOON.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("fraction", "microseconds"), [("5", 500_000), ("123", 123_000), ("123456789", 123_456)]
)
def test_fractions_of_any_length_are_read(fraction: str, microseconds: int) -> None:
    moment = read_timestamp(f"2024-01-03T12:40:13.{fraction}Z")
    assert moment == NOON.replace(microsecond=microseconds)


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("2024-01-03", Remark.STAMP_DATE_ONLY),
        ("20240103", Remark.STAMP_DATE_ONLY),
        ("03/01/2024 12:40:13", Remark.STAMP_UNREADABLE),
        ("2024/01/03 12:40:13", Remark.STAMP_UNREADABLE),
        ("2024-13-03T12:40:13Z", Remark.STAMP_UNREADABLE),
        ("2024-01-03T25:40:13Z", Remark.STAMP_UNREADABLE),
        ("2024-01-03T12:40:13+99:00", Remark.STAMP_UNREADABLE),
        ("Wed, 03 Foo 2024 12:40:13 GMT", Remark.STAMP_UNREADABLE),
        ("yesterday", Remark.STAMP_UNREADABLE),
        ("0001-01-01T00:00:00+14:00", Remark.STAMP_OUT_OF_RANGE),
        ("9999-12-31T23:59:59-14:00", Remark.STAMP_OUT_OF_RANGE),
        ("1601-01-01T00:00:00", Remark.STAMP_OUT_OF_RANGE),
    ],
)
def test_doubtful_moments_are_remarked_instead_of_guessed(text: str, remark: Remark) -> None:
    assert read_timestamp(text) is remark


def test_a_blank_moment_is_silently_none() -> None:
    assert read_timestamp(" ") is None
