"""Periods that figures are read over: so many days up to now, and what now is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from qadb.models.types import require_aware


def moment(now: datetime | None) -> datetime:
    """Return a moment in UTC, the present where none is named; raises ValueError without a zone."""
    return datetime.now(UTC) if now is None else require_aware(now)


def period_start(days: int, now: datetime | None) -> datetime:
    """Return the moment that many days before now.

    Periods have no end: rows dated by a clock that is ahead belong to them too.

    Raises:
        ValueError: fewer days than none, more than there were, or a moment without a time zone.
    """
    present = moment(now)
    if days < 0:
        raise ValueError(f"a period has 0 days or more, not {days}")
    try:
        return present - timedelta(days=days)
    except OverflowError:
        raise ValueError(f"{days} days ago there was no calendar") from None
