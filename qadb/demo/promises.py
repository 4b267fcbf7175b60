"""Promises: what performance is compared with, and what may not be cleaned up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.demo.plan import DAYS, Batch, Row, Scene, batch
from qadb.models import SLA, Hold, PerformanceBaseline

if TYPE_CHECKING:
    from collections.abc import Iterator

METRIC = "p95_response_time_ms"
TOLERANCE_PCT = 15
ERROR_RATE = 0.01


def promises(scene: Scene) -> Iterator[Batch]:
    """Baselines, SLAs and holds."""
    yield batch(PerformanceBaseline, [*_baselines(scene)])
    yield batch(SLA, [*_slas(scene)])
    yield batch(Hold, [*_holds(scene)])


def _baselines(scene: Scene) -> Iterator[Row]:
    for app in scene.company.apps:
        for request in app.requests:
            yield scene.row(
                PerformanceBaseline,
                scene.plan.ago(DAYS - 3),
                application_id=scene.applications[app.code],
                environment_id=scene.environments["load-lab"],
                hardware_config_id=scene.hardware["load-generator"],
                metric=f"{METRIC} {request.name}",
                unit="ms",
                direction="lower",
                value=request.p95_ms,
                tolerance_pct=TOLERANCE_PCT,
                run_id=scene.runs[f"{app.code}/load"],
                valid_from=scene.plan.ago(DAYS - 3),
                valid_to=None,
            )


def _slas(scene: Scene) -> Iterator[Row]:
    for app in scene.company.apps:
        for request in app.requests:
            yield _sla(scene, app.code, request.name, METRIC, request.promised_ms, "ms")
        yield _sla(scene, app.code, None, "error_rate", ERROR_RATE, "fraction")


def _sla(
    scene: Scene, code: str, request_name: str | None, metric: str, threshold: float, unit: str
) -> Row:
    return scene.row(
        SLA,
        scene.plan.ago(DAYS + 60),
        application_id=scene.applications[code],
        request_name=request_name,
        metric=metric,
        threshold=threshold,
        unit=unit,
        direction="lower",
        is_active=True,
        created_by=scene.users[scene.company.people[0].username],
    )


def _holds(scene: Scene) -> Iterator[Row]:
    (app, *_) = scene.company.apps
    person = scene.company.people[0].username
    kept = (
        ("run", str(scene.runs[f"{app.code}/load"]), "Baselines refer to it", 27.0, None),
        ("application", str(scene.applications[app.code]), "Audit of the year", 90.0, 45.0),
    )
    for scope, scope_id, reason, placed, released in kept:
        yield scene.row(
            Hold,
            scene.plan.ago(placed),
            scope=scope,
            scope_id=scope_id,
            reason=reason,
            placed_by=person,
            placed_at=scene.plan.ago(placed),
            released_at=None if released is None else scene.plan.ago(released),
        )
