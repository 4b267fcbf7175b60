"""Runs with measurements, as the tests of performance use them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import select

from qadb.models import Application, PerformanceResult, TestRun

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def shop(session: Session) -> Application:
    """The tenant's application that is there already."""
    return session.scalars(select(Application).filter_by(code="shop")).one()


def measure(
    session: Session,
    p95_ms: dict[str, float | None],
    *,
    days_ago: int = 1,
    application: Application | None = None,
    **values: object,
) -> TestRun:
    """Add a run that measured 95th percentiles by request; ``values`` are each measurement's."""
    run = TestRun(
        run_key=uuid4().hex,
        application=application or shop(session),
        started_at=NOW - timedelta(days=days_ago),
    )
    run.performance_results = [
        PerformanceResult(request_name=request, p95_response_time_ms=p95, **values)
        for request, p95 in p95_ms.items()
    ]
    session.add(run)
    session.flush()
    return run
