"""Promises about performance and what was measured against them, worst measurement first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select

from qadb.models import SLA, Application, PerformanceResult, TestRun
from qadb.models.functions import ByCodePoint
from qadb.repositories.generic.once import once
from qadb.repositories.performance.metrics import (
    FIGURES,
    HIGHER,
    METRICS,
    badness,
    measured,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from sqlalchemy import CTE, ColumnElement, Row
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class SlaCheck:
    """One active SLA and the worst that was measured of what it promises.

    Attributes:
        application: its code.
        request_name: what the SLA is about; None is every request.
        measurements: how many there were; without any, what follows is None.
        measured: the worst of them.
        is_met: it does not miss the threshold; one that equals it is met.
        margin: how far it keeps from the threshold, in the metric's unit; negative is a miss.
        worst_request: the request it was measured at, and ``worst_run_id`` the run.
    """

    sla_id: int
    application: str
    request_name: str | None
    metric: str
    unit: str | None
    direction: str
    threshold: Decimal
    measurements: int
    measured: Decimal | None
    is_met: bool | None
    margin: Decimal | None
    worst_request: str | None
    worst_run_id: int | None


def check_slas(
    session: Session, of_slas: Sequence[ColumnElement[bool]], of_runs: Sequence[ColumnElement[bool]]
) -> tuple[SlaCheck, ...]:
    """Check active SLAs against the runs that meet the conditions, in one query.

    An SLA that names an unknown metric is measured by nothing.
    """
    worst = _worst_measurements(of_slas, of_runs)
    query = (
        select(
            Application.code, SLA.id, SLA.request_name, SLA.metric, SLA.unit, SLA.direction,
            SLA.threshold, worst.c.request_name.label("worst_request"), worst.c.run_id,
            worst.c.measurements, *(worst.c[name] for name in FIGURES),
        )
        .join(Application, Application.id == SLA.application_id)
        .outerjoin(worst, worst.c.sla_id == SLA.id)
        .where(SLA.is_active, Application.deleted_at.is_(None), *of_slas)
    )  # fmt: skip
    return tuple(sorted((_check(row) for row in session.execute(query)), key=_place))


def _worst_measurements(
    of_slas: Sequence[ColumnElement[bool]], of_runs: Sequence[ColumnElement[bool]]
) -> CTE:
    """Each SLA's worst measurement; ties go to the newest run, then by name."""
    how_bad = badness(SLA.metric, SLA.direction)
    order = (
        how_bad.desc(),
        PerformanceResult.run_id.desc(),
        ByCodePoint(PerformanceResult.request_name),
        ByCodePoint(PerformanceResult.scenario),
    )
    placed = (
        select(
            SLA.id.label("sla_id"),
            func.count().over(partition_by=SLA.id).label("measurements"),
            func.row_number().over(partition_by=SLA.id, order_by=order).label("place"),
            PerformanceResult.run_id,
            PerformanceResult.request_name,
            *(getattr(PerformanceResult, name) for name in FIGURES),
        )
        .join(TestRun, TestRun.application_id == SLA.application_id)
        .join(PerformanceResult, PerformanceResult.run_id == TestRun.id)
        .where(
            SLA.is_active,
            or_(SLA.request_name.is_(None), SLA.request_name == PerformanceResult.request_name),
            how_bad.is_not(None),
            *of_slas,
            *of_runs,
        )
        .subquery()
    )
    return once(select(placed).where(placed.c.place == 1))


def _check(row: Row[*tuple[Any, ...]]) -> SlaCheck:
    metric = METRICS.get(row.metric)
    value = measured(row, metric) if metric is not None and row.measurements else None
    margin = None
    if value is not None:
        margin = value - row.threshold if row.direction == HIGHER else row.threshold - value
    return SlaCheck(
        sla_id=row.id,
        application=row.code,
        request_name=row.request_name,
        metric=row.metric,
        unit=row.unit or (metric.unit if metric else None),
        direction=row.direction,
        threshold=row.threshold,
        measurements=row.measurements or 0,
        measured=value,
        is_met=None if margin is None else margin >= 0,
        margin=margin,
        worst_request=row.worst_request,
        worst_run_id=row.run_id,
    )


def _place(check: SlaCheck) -> tuple[str, str, str, int]:
    return check.application, check.metric, check.request_name or "", check.sla_id
