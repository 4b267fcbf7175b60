"""How much of the code tests cover: of a run, of all applications, day by day.

A run's figures are those of its row for the whole run (the one without a file) where it has one,
else the sum over its files: nothing counts twice. Rates are computed from these counts; what a
report declares itself is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Double, case, cast, func, select

from qadb.models import Application, CoverageData, TestRun
from qadb.models.functions import utc_day
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.ids import id_of
from qadb.repositories.generic.limits import require_limit
from qadb.repositories.generic.once import once
from qadb.repositories.generic.periods import period_start
from qadb.repositories.generic.rounding import fraction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date as day_type
    from datetime import datetime

    from sqlalchemy import CTE, ColumnElement

WHOLE_RUN = ""
COUNTS = (
    "covered_lines",
    "total_lines",
    "covered_branches",
    "total_branches",
    "covered_functions",
    "total_functions",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is covered of what there is; a rate is None where there is nothing."""

    covered_lines: int
    total_lines: int
    covered_branches: int
    total_branches: int
    covered_functions: int
    total_functions: int

    @property
    def line_coverage(self) -> float | None:
        """Share of lines covered, 0 to 1."""
        return fraction(self.covered_lines, self.total_lines)

    @property
    def branch_coverage(self) -> float | None:
        """Share of branches covered, 0 to 1."""
        return fraction(self.covered_branches, self.total_branches)

    @property
    def function_coverage(self) -> float | None:
        """Share of functions covered, 0 to 1."""
        return fraction(self.covered_functions, self.total_functions)


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateCoverage(Coverage):
    """The sum over one run, or over the newest run of each application.

    Attributes:
        runs: how many runs it is the sum of.
    """

    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePoint(AggregateCoverage):
    """The sum over the newest run of each application on one day in UTC."""

    date: day_type


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCoverage(Coverage):
    """What a run covered of one file."""

    file: str


class CoverageRepository(Repository[CoverageData]):
    """What the tests of a run covered, file by file.

    A run is as new as the newest of its rows; ties go by id.
    """

    model = CoverageData

    def get_aggregate_coverage(
        self,
        *,
        application: Application | int | None = None,
        run: TestRun | int | None = None,
        days: int = 30,
        now: datetime | None = None,
    ) -> AggregateCoverage:
        """Sum up one run, or else the newest run of each application in the period.

        Args:
            application: only this one; without it all that are not deleted.
            run: this run, whenever it was.
            days: length of the period in which coverage was collected.
            now: the period's end, aware; the present by default.

        Raises:
            ValueError: the period makes no sense, or both a run and an application are named.
        """
        if run is None:
            newest = _newest_runs(period_start(days, now), application, daily=False)
            figures = _figures_by_run(newest)
        elif application is None:
            chosen = select(TestRun.id.label("run_id")).where(TestRun.id == id_of(run))
            figures = _figures_by_run(once(chosen))
        else:
            raise ValueError("name a run or an application, not both: a run has but one")
        row = self.session.execute(select(func.count(figures.c.run_id), *_sums(figures))).one()
        return AggregateCoverage(runs=row[0], **_counts(row[1:]))

    def get_coverage_trend(
        self,
        days: int = 30,
        *,
        application: Application | int | None = None,
        now: datetime | None = None,
    ) -> tuple[CoveragePoint, ...]:
        """Sum up, for each day in UTC that has any, the newest run of each application.

        Args:
            days: length of the period in which coverage was collected.
            application: only this one; without it all that are not deleted.
            now: the period's end, aware; the present by default.

        Returns:
            One point a day with data, the oldest first.

        Raises:
            ValueError: the period makes no sense.
        """
        newest = _newest_runs(period_start(days, now), application, daily=True)
        figures = _figures_by_run(newest)
        query = (
            select(newest.c.day, func.count(), *_sums(figures))
            .select_from(figures)
            .join(newest, newest.c.run_id == figures.c.run_id)
            .group_by(newest.c.day)
            .order_by(newest.c.day)
        )
        return tuple(
            CoveragePoint(date=day, runs=runs, **_counts(sums))
            for day, runs, *sums in self.session.execute(query)
        )

    def least_covered(self, run: TestRun | int, limit: int = 20) -> tuple[FileCoverage, ...]:
        """Return the files of a run with the lowest share of lines covered, the lowest first.

        Among equals the one with more lines goes first. Files without lines are left out.

        Raises:
            ValueError: a negative limit.
        """
        rate = cast(CoverageData.covered_lines, Double) / CoverageData.total_lines
        query = (
            select(CoverageData.file, *(getattr(CoverageData, name) for name in COUNTS))
            .where(
                CoverageData.run_id == id_of(run),
                CoverageData.file != WHOLE_RUN,
                CoverageData.total_lines > 0,
            )
            .order_by(rate, CoverageData.total_lines.desc(), CoverageData.file)
            .limit(require_limit(limit, least=0))
        )
        return tuple(
            FileCoverage(file=file, **_counts(counts))
            for file, *counts in self.session.execute(query)
        )


def _newest_runs(since: datetime, application: Application | int | None, *, daily: bool) -> CTE:
    """The runs that count, with their day: of each application, or of each on each day."""
    recent = once(
        select(CoverageData.run_id, func.max(CoverageData.collected_at).label("collected_at"))
        .where(CoverageData.collected_at >= since)
        .group_by(CoverageData.run_id)
    )
    day = utc_day(recent.c.collected_at)
    rank = func.row_number().over(
        partition_by=(TestRun.application_id, day) if daily else TestRun.application_id,
        order_by=(recent.c.collected_at.desc(), TestRun.id.desc()),
    )
    ranked = select(TestRun.id.label("run_id"), day.label("day"), rank.label("rank")).join(
        recent, recent.c.run_id == TestRun.id
    )
    if application is None:
        ranked = ranked.join(TestRun.application).where(Application.deleted_at.is_(None))
    else:
        ranked = ranked.where(TestRun.application_id == id_of(application))
    found = ranked.subquery("ranked")
    return once(select(found.c.run_id, found.c.day).where(found.c.rank == 1))


def _figures_by_run(runs: CTE) -> CTE:
    """Each run's counts: those of its row for the whole run, else the sums over its files."""
    query = select(CoverageData.run_id, *(_of_run(name).label(name) for name in COUNTS))
    query = query.join(runs, runs.c.run_id == CoverageData.run_id)
    return once(query.group_by(CoverageData.run_id))


def _of_run(name: str) -> ColumnElement[int]:
    column = getattr(CoverageData, name)
    whole = func.max(case((CoverageData.file == WHOLE_RUN, column)))
    return func.coalesce(whole, func.sum(column))


def _sums(figures: CTE) -> list[ColumnElement[int]]:
    return [func.sum(figures.c[name]) for name in COUNTS]


def _counts(values: Iterable[int | None]) -> dict[str, int]:
    return {name: int(value or 0) for name, value in zip(COUNTS, values, strict=True)}
