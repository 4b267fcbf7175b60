"""Baselines of performance: which ones are valid for a run, and a new one's place in their row.

Baselines of the same application, environment, hardware and metric follow one another: at any
moment at most one of them is valid. Which values they hold is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select, update

from qadb.models import Application, Environment, PerformanceBaseline, TestRun
from qadb.models.functions import UtcNow

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

_SPECIFIC = ("environment_id", "hardware_config_id")


@dataclass(frozen=True, slots=True)
class ValidBaseline:
    """A baseline as it is stored, for comparing."""

    id: int
    metric: str
    unit: str | None
    direction: str
    value: Decimal
    tolerance_pct: Decimal


def start_baseline(
    session: Session, baseline: PerformanceBaseline, begins_at: datetime | None
) -> None:
    """Give a new baseline its time: from a moment on, until the next one begins, if one does.

    The one that was valid at that moment ends there. The caller holds the application locked.

    Args:
        session: where baselines are written.
        baseline: not added yet.
        begins_at: aware; where it is None, the present by the database's clock, which all who set
            baselines share.
    """
    if begins_at is None:
        by_owner = select(UtcNow()).where(Application.id == baseline.application_id)
        begins_at = session.scalars(by_owner).one()  # sessions take statements over models alone
    key = _same_key(baseline)
    is_later = PerformanceBaseline.valid_from > begins_at
    next_begins_at = select(func.min(PerformanceBaseline.valid_from)).where(*key, is_later)
    baseline.valid_from, baseline.valid_to = begins_at, session.scalar(next_begins_at)
    former = update(PerformanceBaseline).where(*key, ~is_later, _lasts(begins_at))
    session.execute(former.values(valid_to=begins_at))


def valid_baselines(session: Session, run_id: int, at: datetime | None) -> list[ValidBaseline]:
    """Return one baseline a metric: of those valid at a moment, the one closest to the run.

    The moment is the present by the database's clock where none is given.

    A baseline for no environment or hardware in particular is valid for all of them; one for the
    run's own environment goes before one for its hardware, and that before one for all.
    """
    environment_id = PerformanceBaseline.environment_id
    hardware_id = PerformanceBaseline.hardware_config_id
    moment = UtcNow() if at is None else at
    names = [field.name for field in fields(ValidBaseline)]
    query = (
        select(*(getattr(PerformanceBaseline, name) for name in names))
        .join(TestRun, TestRun.application_id == PerformanceBaseline.application_id)
        .outerjoin(Environment, Environment.id == TestRun.environment_id)
        .where(
            TestRun.id == run_id,
            or_(environment_id.is_(None), environment_id == TestRun.environment_id),
            or_(hardware_id.is_(None), hardware_id == Environment.hardware_config_id),
            PerformanceBaseline.valid_from <= moment,
            _lasts(moment),
        )
        .order_by(
            environment_id.is_not(None),
            hardware_id.is_not(None),
            PerformanceBaseline.valid_from,
            PerformanceBaseline.id,
        )
    )
    closest = {row.metric: ValidBaseline(*row) for row in session.execute(query)}
    return [closest[metric] for metric in sorted(closest)]


def _lasts(moment: datetime | UtcNow) -> ColumnElement[bool]:
    valid_to = PerformanceBaseline.valid_to
    return or_(valid_to.is_(None), valid_to > moment)


def _same_key(baseline: PerformanceBaseline) -> list[ColumnElement[bool]]:
    names = ("application_id", "metric", *_SPECIFIC)
    stated = {name: getattr(baseline, name) for name in names}
    columns = {name: getattr(PerformanceBaseline, name) for name in names}
    return [
        columns[name].is_(None) if value is None else columns[name] == value
        for name, value in stated.items()
    ]
