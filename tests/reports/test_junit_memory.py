"""Memory stays flat, measured in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parents[2]


def _read(shape: str, amount: int) -> tuple[int, float]:
    """Read a generated report; gives its records and the peak in MB."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.reports.memory_child", shape, str(amount)],
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    records, megabytes = ended.stdout.split()
    return int(records), float(megabytes)


@pytest.mark.parametrize("shape", ["system-out", "cdata"])
def test_a_text_of_300_megabytes_costs_no_memory(shape: str) -> None:
    records, megabytes = _read(shape, 300)
    assert records == 1
    assert megabytes < 100


def test_the_longest_accepted_attribute_stays_within_bounds() -> None:
    records, megabytes = _read("attribute", 15)
    assert records == 1
    assert megabytes < 150


def test_memory_does_not_grow_with_the_number_of_cases() -> None:
    few, few_megabytes = _read("cases", 20_000)
    many, many_megabytes = _read("cases", 200_000)
    assert (few, many) == (20_000, 200_000)
    assert many_megabytes - few_megabytes < 10
