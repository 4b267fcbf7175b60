"""What performance is judged by: the metrics, how they are spelt, and what a measurement says.

A metric is a figure of one measurement: of one kind of request in one scenario of a run. Spelt by
its name alone (``p95_response_time_ms``) it means the worst measurement of a run; with a request
behind it (``p95_response_time_ms GET /cart``), the worst of that request.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import case, func, select

from qadb.models import PerformanceResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import QueryableAttribute, Session

LOWER, HIGHER = "lower", "higher"
ERROR_RATE = "error_rate"

_RATE = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that every measurement has, or could have.

    Attributes:
        unit: of its values; ``fraction`` is 0 to 1.
        direction: which values are better, ``lower`` or ``higher``.
    """

    name: str
    unit: str
    direction: str


_TIMES = tuple(f"{what}_response_time_ms" for what in ("mean", "p50", "p95", "p99", "max"))
_RPS = Metric("rps_achieved", "requests/s", HIGHER)

METRICS = {
    **{name: Metric(name, "ms", LOWER) for name in _TIMES},
    _RPS.name: _RPS,
    ERROR_RATE: Metric(ERROR_RATE, "fraction", LOWER),
}

_IN_COLUMNS = (*_TIMES, _RPS.name)
_COUNTS = ("ko_requests", "total_requests")
FIGURES = (*_IN_COLUMNS, *_COUNTS)


class Measurement(Protocol):
    """A row with `FIGURES` and what they are of."""

    @property
    def request_name(self) -> str:
        """Which request was measured."""
        ...

    @property
    def scenario(self) -> str:
        """In which scenario."""
        ...


def measurements(session: Session, run_id: int) -> list[Measurement]:
    """Return a run's measurements, by request and scenario."""
    names = ("request_name", "scenario", *FIGURES)
    query = select(*(getattr(PerformanceResult, name) for name in names)).where(
        PerformanceResult.run_id == run_id
    )
    rows: Iterable[Measurement] = session.execute(query)
    return sorted(rows, key=lambda row: (row.request_name, row.scenario))


def find_metric(name: str) -> Metric:
    """Return the metric of this name; raises ValueError that names those there are."""
    metric = METRICS.get(name)
    if metric is None:
        raise ValueError(f"there is no metric {name!r}; there are {', '.join(METRICS)}")
    return metric


def parse_metric(spelling: str) -> tuple[Metric, str | None]:
    """Take a metric and the request behind it apart; no request means all of them.

    Raises:
        ValueError: an unknown metric, or a blank behind it and no request.
    """
    name, blank, request_name = spelling.partition(" ")
    metric = find_metric(name)
    if blank and not request_name.strip():
        raise ValueError(f"{spelling!r} names no request behind the metric")
    return metric, request_name or None


def measured(row: Measurement, metric: Metric) -> Decimal | None:
    """What a measurement says of a metric, exact; None when that was not measured."""
    if metric.name != ERROR_RATE:
        value: Decimal | None = getattr(row, metric.name)
        return value
    ko_requests, total_requests = (int(getattr(row, name)) for name in _COUNTS)
    if not total_requests:
        return None
    return (Decimal(ko_requests) / total_requests).quantize(_RATE, ROUND_HALF_UP)


def worst(values: Iterable[Decimal], direction: str) -> Decimal | None:
    """Return the value that is furthest from good; None when there is none."""
    return (min if direction == HIGHER else max)(values, default=None)


def badness(
    metric: QueryableAttribute[str], direction: QueryableAttribute[str]
) -> ColumnElement[Decimal]:
    """What sorts measurements by the metric that a column names, the worst one last.

    NULL where the metric was not measured, or is unknown. It is for ordering alone: metrics
    have different units, and engines round rates differently.
    """
    rate = PerformanceResult.ko_requests * 1.0 / func.nullif(PerformanceResult.total_requests, 0)
    figure = case(
        *((metric == name, getattr(PerformanceResult, name)) for name in _IN_COLUMNS),
        (metric == ERROR_RATE, rate),
    )
    return case((direction == HIGHER, -figure), else_=figure)
