"""Test runs: begun, ended, listed and compared.

Runs that reports are loaded into are `qadb.repositories.ingesting.runs`'s; comparing lies in
`qadb.repositories.figures.run_comparison`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy.orm import joinedload

from qadb.errors import RowNotFound
from qadb.models import Application, Environment, TestRun
from qadb.models.types import require_aware
from qadb.repositories.figures.run_comparison import SLOWER_MIN_MS, SLOWER_RATIO, compare_runs
from qadb.repositories.figures.run_totals import count_verdicts
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.filters import conditions
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.limits import require_limit
from qadb.repositories.generic.references import require_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qadb.repositories.figures.run_comparison import RunComparison

UNFINISHED = ("pending", "running")
FINISHED = ("completed", "failed", "cancelled")

RECENT_RUNS = 20


class TestRunRepository(Repository[TestRun]):
    """Runs of an application's tests."""

    model = TestRun
    __test__ = False  # the name is no test class's to pytest

    def start(
        self,
        application: Application | int,
        *,
        run_key: str | None = None,
        environment: Environment | int | None = None,
        started_at: datetime | None = None,
        **values: object,
    ) -> TestRun:
        """Record a run that is under way.

        Args:
            application: whose tests run, itself or its key.
            run_key: what the run is called within the application; a random name by default.
            environment: where it runs, itself or its key.
            started_at: aware; the present by default.
            **values: further columns, such as `branch`, `commit_sha` or `trigger_type`.

        Raises:
            RowNotFound: there is no such application or environment.
            ConflictError: the application has a run of this key.
            ValueError: a value breaks a rule of the model.
        """
        tested = require_row(self.session, Application, id_of(application))
        place = None
        if environment is not None:
            place = require_row(self.session, Environment, id_of(environment))
        stated: dict[str, object] = {
            "tenant_id": tested.tenant_id,
            "application_id": tested.id,
            "environment_id": None if place is None else place.id,
            "run_key": uuid4().hex if run_key is None else run_key,
            "started_at": datetime.now(UTC) if started_at is None else started_at,
            "status": "running",
        }
        return self.create(**{**stated, **values})

    def finish(
        self,
        run: TestRun | int,
        *,
        status: str = "completed",
        result: str | None = None,
        exit_code: int | None = None,
        ended_at: datetime | None = None,
    ) -> TestRun:
        """Record that a run has ended; its totals are counted over the final attempts it holds.

        Waits for those who are adding results to it or finishing it now.

        Args:
            run: itself or its key.
            status: completed, failed or cancelled.
            result: success, failure, error or timeout; what follows from the totals by default.
            exit_code: of the program that ran the tests.
            ended_at: aware; the present by default, or the start where that is dated later.

        Raises:
            RowNotFound: there is no such run.
            ValueError: the run was finished before, or a value breaks a rule of the model.
        """
        if status not in FINISHED:
            raise ValueError(f"a run ends {', '.join(FINISHED)}, not {status!r}")
        locked = self._lock(run)
        if locked.status not in UNFINISHED:
            raise ValueError(f"run {locked.id} is {locked.status} already")
        totals = count_verdicts(self.session, locked.id)
        if ended_at is None:
            ended_at = max(datetime.now(UTC), locked.started_at)  # the starter's clock may be ahead
        return self.update(
            locked,
            result=totals.result if result is None else result,  # first, as it alone may be refused
            status=status,
            exit_code=exit_code,
            ended_at=require_aware(ended_at),
            **asdict(totals),
        )

    def recent(
        self,
        limit: int = RECENT_RUNS,
        application: Application | int | None = None,
        branch: str | None = None,
        **filters: object,
    ) -> Sequence[TestRun]:
        """Return the runs that started last, with application and environment, in one query.

        Args:
            limit: how many at most.
            application: only runs of this one, itself or its key.
            branch: only runs of this one.
            **filters: further conditions by keyword, as in `list`.

        Raises:
            ValueError: no rows asked for, an unknown name or operator.
        """
        wanted = conditions(TestRun, filters)
        if application is not None:
            wanted.append(TestRun.application_id == id_of(application))
        if branch is not None:
            wanted.append(TestRun.branch == branch)
        return self.list(
            *wanted,
            order_by="-started_at",
            limit=require_limit(limit),
            with_=[joinedload(TestRun.application), joinedload(TestRun.environment)],
        )

    def compare(
        self,
        run: TestRun | int,
        baseline_run: TestRun | int,
        *,
        slower_ratio: float = SLOWER_RATIO,
        slower_min_ms: float = SLOWER_MIN_MS,
    ) -> RunComparison:
        """Return what differs between a run and an earlier one; holds the differences alone.

        Args:
            run: itself or its key.
            baseline_run: what it is held against, itself or its key.
            slower_ratio: a test is slower when it takes at least this many times as long …
            slower_min_ms: … and at least as many milliseconds longer.

        Raises:
            RowNotFound: one of the runs is not there.
            ValueError: a ratio below 1 or a time below 0.
        """
        return compare_runs(
            self.session,
            require_row(self.session, TestRun, id_of(run)).id,
            require_row(self.session, TestRun, id_of(baseline_run)).id,
            slower_ratio=slower_ratio,
            slower_min_ms=slower_min_ms,
        )

    def _lock(self, run: TestRun | int) -> TestRun:
        """Return the run as it is now, kept from others until the transaction ends."""
        key = id_of(run)
        found = self._lock_by(TestRun.id == key)
        if found is None:
            raise RowNotFound(f"There is no row {key!r} in {self._table_name}.")
        return found
