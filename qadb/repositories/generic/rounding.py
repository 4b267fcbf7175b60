"""Figures as they are shown: fractions to a millionth, times to a thousandth of a millisecond."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


def fraction(part: int, whole: int) -> float | None:
    """Return the share of a part in the whole, 0 to 1; None where there is no whole."""
    return round(part / whole, 6) if whole else None


def milliseconds(value: Decimal) -> float:
    """Return a time in milliseconds as a number to show."""
    return round(float(value), 3)
