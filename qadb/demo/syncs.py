"""Synchronisations with other systems, and the one row that tells what the demo was made from."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from qadb.demo.plan import DAYS, Batch, Row, Scene, batch
from qadb.models import SyncEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

DEMO_SOURCE = "qadb init --demo"
EVERY_DAYS = 3
_ENTITIES = ("features", "user_stories")


def syncs(scene: Scene) -> Iterator[Batch]:
    """Features and stories every few days, one of which failed; then the demo itself."""
    rows = [*_syncs(scene, scene.rng("syncs")), _demo(scene)]
    yield batch(SyncEvent, rows)


def _syncs(scene: Scene, rng: Random) -> Iterator[Row]:
    for number in range(DAYS // EVERY_DAYS):
        for entity in _ENTITIES:
            at = scene.plan.ago(DAYS - EVERY_DAYS * (number + rng.uniform(0, 0.9)))
            has_failed = number == 4 and entity == _ENTITIES[0]  # noqa: PLR2004 - any one of them
            yield scene.row(
                SyncEvent,
                at,
                source="tracker",
                entity=entity,
                started_at=at,
                completed_at=at + timedelta(seconds=rng.randint(2, 40)),
                status="failed" if has_failed else "completed",
                rows_created=0 if has_failed else rng.randint(0, 3),
                rows_updated=0 if has_failed else rng.randint(0, 9),
                rows_deleted=0,
                error="The tracker answered 503." if has_failed else None,
                cursor=None if has_failed else f"page-{number + 1}",
            )


def _demo(scene: Scene) -> Row:
    now = scene.plan.now
    return scene.row(
        SyncEvent,
        now,
        source=DEMO_SOURCE,
        entity="demo",
        started_at=now,
        completed_at=now,
        status="completed",
        rows_created=0,
        rows_updated=0,
        rows_deleted=0,
        error=None,
        cursor=json.dumps({"seed": scene.plan.seed, "scale": scene.plan.scale}),
    )
