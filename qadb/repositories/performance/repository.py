"""Performance: what was measured, the baselines it is compared with, the SLAs it is held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from qadb.models import (
    SLA,
    Application,
    Environment,
    HardwareConfig,
    PerformanceBaseline,
    PerformanceResult,
    TestRun,
)
from qadb.models.types import require_aware
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.locks import lock_owner
from qadb.repositories.generic.periods import period_start
from qadb.repositories.generic.references import require_row
from qadb.repositories.performance.baselines import start_baseline, valid_baselines
from qadb.repositories.performance.metrics import (
    HIGHER,
    METRICS,
    measured,
    measurements,
    parse_metric,
    worst,
)
from qadb.repositories.performance.slas import SlaCheck, check_slas

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal

    from qadb.repositories.performance.baselines import ValidBaseline
    from qadb.repositories.performance.metrics import Measurement

R = TypeVar("R", Application, Environment, HardwareConfig, TestRun)

_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Regression:
    """A measurement that is worse than its baseline by more than the baseline tolerates.

    Attributes:
        metric: its name, without a request.
        unit: of ``measured`` and ``baseline``.
        change: what was measured over the baseline, less 1; negative where it fell. None when the
            baseline is 0.
    """

    baseline_id: int
    metric: str
    request_name: str
    scenario: str
    unit: str | None
    direction: str
    measured: Decimal
    baseline: Decimal
    tolerance_pct: Decimal
    change: float | None


class PerformanceRepository(Repository[PerformanceResult]):
    """What performance runs measured, one row a request and scenario.

    Metrics are ``mean_``, ``p50_``, ``p95_``, ``p99_`` and ``max_response_time_ms``,
    ``rps_achieved`` and ``error_rate`` (failed requests over all, 0 to 1).
    """

    model = PerformanceResult

    def set_baseline(
        self,
        application: Application | int,
        metric: str,
        value: Decimal | float | None = None,
        *,
        run: TestRun | int | None = None,
        environment: Environment | int | None = None,
        hardware_config: HardwareConfig | int | None = None,
        unit: str | None = None,
        direction: str | None = None,
        tolerance_pct: Decimal | float = 0,
        valid_from: datetime | None = None,
    ) -> PerformanceBaseline:
        """Start a baseline and end the one before it; of two at once one stays valid.

        Args:
            application: whose baseline it is; a row or its key, as all that follow.
            metric: its name, for the worst request of a run, or the name, a blank and a request:
                ``p95_response_time_ms GET /cart``.
            value: what is good enough; by default what the run measured, the worst of it.
            run: the run that the baseline stands on; it is kept from cleanup.
            environment: where it is valid; everywhere by default.
            hardware_config: on what it is valid; on everything by default.
            unit: the metric's own by default.
            direction: which values are better, ``lower`` or ``higher``; the metric's by default.
            tolerance_pct: how much worse is still no regression, in percent of the value.
            valid_from: when it begins, the present by default. Where a later one is there already,
                it ends where that begins.

        Raises:
            ValueError: an unknown metric, neither value nor run, a run of another application or
                without such a measurement, or a value that breaks a rule of the model.
            RowNotFound: what is given by its key is not there.
        """
        self.session.flush()
        known, _ = parse_metric(metric)
        better = direction or known.direction
        application_id = id_of(application)
        begins_at = None if valid_from is None else require_aware(valid_from)
        owner = lock_owner(self.session, Application, application_id)
        run_id = None if run is None else self._run_of(application_id, run)
        baseline = PerformanceBaseline(
            tenant_id=owner.tenant_id,
            application_id=application_id,
            environment_id=self._key_if_any(Environment, environment),
            hardware_config_id=self._key_if_any(HardwareConfig, hardware_config),
            metric=metric,
            unit=unit or known.unit,
            direction=better,
            value=self._worst_of(run_id, metric, better) if value is None else value,
            tolerance_pct=tolerance_pct,
            run_id=run_id,
        )
        if baseline.value < 0:
            raise ValueError(f"a baseline can't be negative: {baseline.value}")
        start_baseline(self.session, baseline, begins_at)
        added = Repository(self.session, PerformanceBaseline).add(baseline)
        self.session.refresh(added)  # the numbers as they are stored
        return added

    def regressions(
        self, run: TestRun | int, *, now: datetime | None = None
    ) -> tuple[Regression, ...]:
        """Return the run's measurements that are worse than the valid baseline tolerates.

        The baseline closest to the run counts: its own environment's before its hardware's before
        one for all. Requests with a baseline of their own are not held to the one for all requests.

        Args:
            run: a row or its key.
            now: which moment's baselines count, aware; the present by default.

        Raises:
            RowNotFound: there is no such run.
        """
        run_id = self._key_of(TestRun, run)
        rows = measurements(self.session, run_id)
        baselines = valid_baselines(self.session, run_id, now)
        found = [_regression(row, baseline) for baseline, row in _pairs(baselines, rows)]
        return tuple(regression for regression in found if regression is not None)

    def against_sla(
        self,
        *,
        run: TestRun | int | None = None,
        application: Application | int | None = None,
        days: int = 30,
        now: datetime | None = None,
    ) -> tuple[SlaCheck, ...]:
        """Check each active SLA against the worst that was measured of what it promises.

        Args:
            run: check what this run measured, and only the SLAs of its application.
            application: check only its SLAs.
            days: without a run: against the runs that started in as many days.
            now: what the days are counted back from, aware; the present by default.

        Raises:
            ValueError: a run and an application, or a period that makes no sense.
            RowNotFound: there is no such run.
        """
        if run is not None and application is not None:
            raise ValueError("SLAs are checked for a run or for an application, not for both")
        if run is not None:
            of_run = TestRun.id == self._key_of(TestRun, run)
            owner = select(TestRun.application_id).where(of_run).scalar_subquery()
            return check_slas(self.session, [SLA.application_id == owner], [of_run])
        of_slas = []
        if application is not None:
            of_slas.append(SLA.application_id == self._key_of(Application, application))
        return check_slas(self.session, of_slas, [TestRun.started_at >= period_start(days, now)])

    def _worst_of(self, run_id: int | None, spelling: str, direction: str) -> Decimal:
        if run_id is None:
            raise ValueError("a baseline needs a value, or a run to take it from")
        metric, request_name = parse_metric(spelling)
        found = [
            measured(row, metric)
            for row in measurements(self.session, run_id)
            if request_name in {None, row.request_name}
        ]
        value = worst((one for one in found if one is not None), direction)
        if value is None:
            raise ValueError(f"run {run_id} has not measured {spelling}")
        return value

    def _run_of(self, application_id: int, run: TestRun | int) -> int:
        run_id = self._key_of(TestRun, run)
        query = select(TestRun.application_id).where(TestRun.id == run_id)
        if self.session.scalars(query).one() != application_id:
            raise ValueError(f"run {run_id} is another application's")
        return run_id

    def _key_if_any(self, model: type[R], row: R | int | None) -> int | None:
        return None if row is None else self._key_of(model, row)

    def _key_of(self, model: type[R], row: R | int) -> int:
        """The key of a row that is there, as far as the session sees; its word is not taken."""
        self.session.flush()
        return id_of(require_row(self.session, model, id_of(row)))


def _pairs(
    baselines: Sequence[ValidBaseline], rows: Sequence[Measurement]
) -> Iterator[tuple[ValidBaseline, Measurement]]:
    """What is compared with what."""
    spelt = {baseline.metric for baseline in baselines}
    for baseline in baselines:
        name, _, request_name = baseline.metric.partition(" ")
        for row in rows:
            has_own = f"{name} {row.request_name}" in spelt
            if row.request_name == request_name if request_name else not has_own:
                yield baseline, row


def _regression(row: Measurement, baseline: ValidBaseline) -> Regression | None:
    """The verdict on one measurement; None when it is good enough, or says nothing of the metric.

    A baseline that others have written may name an unknown metric.
    """
    metric = METRICS.get(baseline.metric.partition(" ")[0])
    value = None if metric is None else measured(row, metric)
    if metric is None or value is None:
        return None
    tolerated = baseline.value * baseline.tolerance_pct / _PERCENT
    worse_by = value - baseline.value
    if (-worse_by if baseline.direction == HIGHER else worse_by) <= tolerated:
        return None
    return Regression(
        baseline_id=baseline.id,
        metric=metric.name,
        request_name=row.request_name,
        scenario=row.scenario,
        unit=baseline.unit,
        direction=baseline.direction,
        measured=value,
        baseline=baseline.value,
        tolerance_pct=baseline.tolerance_pct,
        change=round(float(worse_by / baseline.value), 6) if baseline.value else None,
    )
