"""Rotation: which backups of a database may go, so that the rest cover the time that was asked for.

Grandfather-father-son, as restic and Borg count it: the newest backup of each of the last N days,
weeks or months that have one. A backup that any rule keeps is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, tzinfo

    from qadb.backups.folder import Backup


@dataclass(frozen=True, slots=True)
class KeepRules:
    """How many backups to keep; a rule that is None keeps none by itself."""

    last: int | None = None
    daily: int | None = None
    weekly: int | None = None
    monthly: int | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing was asked for, so nothing may go."""
        return self == KeepRules()


def choose_removals(
    backups: Iterable[Backup], rules: KeepRules, *, zone: tzinfo | None = None
) -> tuple[Backup, ...]:
    """Return what may go, oldest first.

    Args:
        backups: those of one database. What can't be read is kept: nobody knows whose it is.
        rules: what to keep; empty rules keep all.
        zone: where days begin; local time by default.

    The newest one that was verified is always kept.
    """
    readable = [(b.manifest.taken_at, b) for b in backups if b.manifest is not None]
    newest_first = [b for _, b in sorted(readable, key=lambda pair: pair[0], reverse=True)]
    if rules.is_empty:
        return ()
    kept = {b.path for b in newest_first[: rules.last or 0]}
    for count, period in (
        (rules.daily, _day),
        (rules.weekly, _week),
        (rules.monthly, _month),
    ):
        kept |= {b.path for b in _newest_of_each(newest_first, count or 0, period, zone)}
    kept |= {b.path for b in [b for b in newest_first if b.verified_at is not None][:1]}
    return tuple(b for b in reversed(newest_first) if b.path not in kept)


def _newest_of_each(
    newest_first: list[Backup],
    count: int,
    period: Callable[[datetime], tuple[int, ...]],
    zone: tzinfo | None,
) -> list[Backup]:
    newest: dict[tuple[int, ...], Backup] = {}
    for backup in newest_first:
        if backup.manifest is not None:
            newest.setdefault(period(backup.manifest.taken_at.astimezone(zone)), backup)
    return list(newest.values())[:count]


def _day(moment: datetime) -> tuple[int, ...]:
    return (moment.year, moment.month, moment.day)


def _week(moment: datetime) -> tuple[int, ...]:
    year, week, _ = moment.isocalendar()
    return (year, week)


def _month(moment: datetime) -> tuple[int, ...]:
    return (moment.year, moment.month)
