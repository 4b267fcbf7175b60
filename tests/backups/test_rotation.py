"""Rotation: the newest of each day, week and month, and never the last that was verified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qadb.backups.folder import Backup
from qadb.backups.rotation import KeepRules, choose_removals
from tests.backups.making import make_manifest

LAST_DAY = datetime(2026, 6, 30, 2, 0, tzinfo=UTC)  # a Tuesday


def make(moment: datetime, *, verified: bool = True) -> Backup:
    manifest = make_manifest(taken_at=moment)
    name = moment.strftime("%m-%d %H")
    return Backup(Path(name), 1, manifest, moment if verified else None)


NIGHTLY = [make(LAST_DAY - timedelta(days=days)) for days in range(100)]


def kept(rules: KeepRules, backups: list[Backup] = NIGHTLY) -> list[str]:
    gone = choose_removals(backups, rules, zone=UTC)
    return [backup.path.name for backup in backups if backup not in gone]


def test_no_rule_removes_nothing() -> None:
    assert choose_removals(NIGHTLY, KeepRules()) == ()


def test_the_last_ones_are_kept() -> None:
    assert kept(KeepRules(last=2)) == ["06-30 02", "06-29 02"]


def test_rules_add_up() -> None:
    found = kept(KeepRules(daily=3, weekly=2, monthly=3))

    assert found == ["06-30 02", "06-29 02", "06-28 02", "05-31 02", "04-30 02"]


def test_only_the_newest_of_a_day_counts_and_days_without_one_do_not() -> None:
    moments = [LAST_DAY, LAST_DAY - timedelta(hours=1), LAST_DAY - timedelta(days=9)]

    assert kept(KeepRules(daily=2), [make(m) for m in moments]) == ["06-30 02", "06-21 02"]


def test_days_begin_where_the_person_lives() -> None:
    from zoneinfo import ZoneInfo

    moments = [datetime(2026, 6, 30, hour, tzinfo=UTC) for hour in (16, 14)]  # 1 and 23 in Tokyo
    backups = [make(m) for m in moments]

    assert len(choose_removals(backups, KeepRules(daily=2), zone=UTC)) == 1
    assert choose_removals(backups, KeepRules(daily=2), zone=ZoneInfo("Asia/Tokyo")) == ()


def test_the_newest_verified_one_is_never_removed() -> None:
    backups = [make(LAST_DAY - timedelta(days=d), verified=d >= 5) for d in range(10)]

    assert kept(KeepRules(last=2), backups) == ["06-30 02", "06-29 02", "06-25 02"]


def test_what_cannot_be_read_is_left() -> None:
    unreadable = Backup(Path("x"), 1, None, None, "half")

    assert unreadable not in choose_removals([*NIGHTLY, unreadable], KeepRules(last=1))


@pytest.mark.parametrize("shuffled", [NIGHTLY[::-1], NIGHTLY[50:] + NIGHTLY[:50]])
def test_the_order_of_the_list_does_not_matter(shuffled: list[Backup]) -> None:
    gone = choose_removals(shuffled, KeepRules(last=1, monthly=2), zone=UTC)

    assert {b.path.name for b in shuffled} - {b.path.name for b in gone} == {"06-30 02", "05-31 02"}
    assert list(gone) == sorted(gone, key=lambda b: b.path.name)
