"""Runs revisions for tests, without the operations above."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.revisions.runner import AppliedRevision, run_revisions

if TYPE_CHECKING:
    from qadb.database import Database


def go_up(database: Database, target: str) -> tuple[AppliedRevision, ...]:
    return run_revisions(database, "up", target, lock_timeout_seconds=2, on_step=lambda _: None)


def go_down(database: Database, target: str | None) -> tuple[AppliedRevision, ...]:
    return run_revisions(database, "down", target, lock_timeout_seconds=2, on_step=lambda _: None)
