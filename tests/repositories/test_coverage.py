"""What runs covered, summed up without counting anything twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from qadb.models import Application, CoverageData, TestRun
from qadb.models.functions import utc_day
from qadb.repositories.quality.coverage import (
    AggregateCoverage,
    CoveragePoint,
    CoverageRepository,
    FileCoverage,
)

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
KATHMANDU = timezone(timedelta(hours=5, minutes=45))
NOTHING = AggregateCoverage(
    runs=0,
    covered_lines=0,
    total_lines=0,
    covered_branches=0,
    total_branches=0,
    covered_functions=0,
    total_functions=0,
)


def lines(file: str, covered: int, total: int, at: datetime = NOON) -> CoverageData:
    return CoverageData(file=file, covered_lines=covered, total_lines=total, collected_at=at)


def add_run(session: Session, key: str, code: str, *rows: CoverageData) -> TestRun:
    """A run of the application with this code, which is made where it is missing."""
    application = session.scalars(select(Application).filter_by(code=code)).one_or_none()
    run = TestRun(run_key=key, application=application or Application(code=code, name=code))
    run.coverage_data.extend(rows)
    session.add(run)
    session.flush()
    return run


def shares(points: tuple[CoveragePoint, ...]) -> list[tuple[date, int, int, int]]:
    return [(p.date, p.covered_lines, p.total_lines, p.runs) for p in points]


# One run


def test_files_of_a_run_add_up(acme: UnitOfWork) -> None:
    rows = [
        CoverageData(
            file=name,
            covered_lines=1,
            total_lines=3,
            covered_branches=covered,
            total_branches=4,
            covered_functions=0,
            total_functions=5,
            declared_rate=0.99,
        )
        for name, covered in (("a.py", 4), ("b.py", 2))
    ]
    run = add_run(acme, "r2", "shop", *rows)
    found = CoverageRepository(acme).get_aggregate_coverage(run=run)
    assert found == AggregateCoverage(
        runs=1,
        covered_lines=2,
        total_lines=6,
        covered_branches=6,
        total_branches=8,
        covered_functions=0,
        total_functions=10,
    )
    assert found.line_coverage == 0.333333
    assert found.branch_coverage == 0.75
    assert found.function_coverage == 0.0


def test_a_row_for_the_whole_run_is_not_counted_beside_its_files(acme: UnitOfWork) -> None:
    run = add_run(acme, "r2", "shop", lines("", 0, 9), lines("a.py", 3, 4), lines("b.py", 5, 5))
    found = CoverageRepository(acme).get_aggregate_coverage(run=run.id)
    assert (found.covered_lines, found.total_lines, found.runs) == (0, 9, 1)


def test_where_there_is_nothing_there_is_no_rate(acme: UnitOfWork) -> None:
    repository = CoverageRepository(acme)
    empty = repository.get_aggregate_coverage()
    assert empty == NOTHING
    assert empty.line_coverage is None
    assert empty.branch_coverage is None
    assert empty.function_coverage is None
    assert repository.get_aggregate_coverage(run=0) == NOTHING
    assert repository.get_coverage_trend() == ()
    run = add_run(acme, "r2", "shop", lines("", 0, 0))
    assert repository.get_aggregate_coverage(run=run).line_coverage is None
    assert repository.get_aggregate_coverage(run=run).runs == 1


def test_a_run_and_an_application_are_one_too_many(acme: UnitOfWork) -> None:
    with pytest.raises(ValueError, match="not both"):
        CoverageRepository(acme).get_aggregate_coverage(run=1, application=1)


def test_what_was_not_written_has_no_coverage(acme: UnitOfWork) -> None:
    with pytest.raises(ValueError, match="TestRun was not written yet"):
        CoverageRepository(acme).get_aggregate_coverage(run=TestRun(run_key="new"))


# All applications


def test_the_newest_run_of_each_application_counts(acme: UnitOfWork) -> None:
    add_run(acme, "old", "shop", lines("", 1, 100, NOON - timedelta(days=2)))
    newest = add_run(acme, "new", "shop", lines("a", 30, 50), lines("b", 20, 50))
    add_run(acme, "late", "shop", lines("", 2, 100, NOON - timedelta(days=1)))
    add_run(acme, "bank", "bank", lines("", 5, 10, NOON - timedelta(days=3)))
    add_run(acme, "gone", "mill", lines("", 7, 7, NOON - timedelta(days=30) - MICROSECOND))
    repository = CoverageRepository(acme)
    found = repository.get_aggregate_coverage(now=NOON)
    assert (found.covered_lines, found.total_lines, found.runs) == (55, 110, 2)
    assert found.line_coverage == 0.5
    shop = repository.get_aggregate_coverage(application=newest.application, now=NOON)
    assert (shop.covered_lines, shop.total_lines, shop.runs) == (50, 100, 1)
    assert repository.get_aggregate_coverage(days=31, now=NOON).covered_lines == 62


def test_of_runs_of_one_moment_the_last_made_counts(acme: UnitOfWork) -> None:
    for number in range(1, 4):
        add_run(acme, f"r-{number}", "shop", lines("", number, 10))
    assert CoverageRepository(acme).get_aggregate_coverage(now=NOON).covered_lines == 3
    assert shares(CoverageRepository(acme).get_coverage_trend(now=NOON)) == [
        (date(2026, 11, 22), 3, 10, 1)
    ]


def test_a_run_is_in_the_period_as_a_whole(acme: UnitOfWork) -> None:
    start = NOON - timedelta(days=30)
    add_run(acme, "r2", "shop", lines("a", 1, 2, start - MICROSECOND), lines("b", 1, 2, start))
    repository = CoverageRepository(acme)
    assert repository.get_aggregate_coverage(now=NOON).total_lines == 4
    assert shares(repository.get_coverage_trend(now=NOON)) == [(date(2026, 10, 23), 2, 4, 1)]


def test_clocks_ahead_belong_to_the_period(acme: UnitOfWork) -> None:
    add_run(acme, "r2", "shop", lines("", 1, 2, NOON + timedelta(days=1)))
    assert CoverageRepository(acme).get_aggregate_coverage(days=0, now=NOON).runs == 1


def test_deleted_applications_count_when_named(acme: UnitOfWork) -> None:
    run = add_run(acme, "r2", "mill", lines("", 1, 2))
    run.application.deleted_at = NOON
    repository = CoverageRepository(acme)
    assert repository.get_aggregate_coverage(now=NOON) == NOTHING
    assert repository.get_coverage_trend(now=NOON) == ()
    named = repository.get_aggregate_coverage(application=run.application_id, now=NOON)
    assert named.total_lines == 2


# Day by day


def test_days_begin_at_midnight_in_utc(acme: UnitOfWork) -> None:
    add_run(acme, "a", "shop", lines("", 1, 10, (MIDNIGHT - MICROSECOND).astimezone(KATHMANDU)))
    add_run(acme, "b", "shop", lines("", 2, 10, MIDNIGHT.astimezone(KATHMANDU)))
    add_run(acme, "c", "shop", lines("", 9, 10, MIDNIGHT - timedelta(days=9)))
    assert shares(CoverageRepository(acme).get_coverage_trend(now=NOON)) == [
        (date(2026, 11, 13), 9, 10, 1),
        (date(2026, 11, 21), 1, 10, 1),
        (date(2026, 11, 22), 2, 10, 1),
    ]


def test_a_day_sums_up_the_newest_run_of_each_application(acme: UnitOfWork) -> None:
    add_run(acme, "a", "shop", lines("", 1, 10, NOON - timedelta(hours=1)))
    add_run(acme, "b", "shop", lines("x", 2, 10), lines("y", 3, 10))
    bank = add_run(acme, "c", "bank", lines("", 0, 20, NOON - timedelta(hours=5)))
    repository = CoverageRepository(acme)
    (point,) = repository.get_coverage_trend(now=NOON)
    assert shares((point,)) == [(date(2026, 11, 22), 5, 40, 2)]
    assert point.line_coverage == 0.125
    assert point.branch_coverage is None
    assert point.function_coverage is None
    only = repository.get_coverage_trend(application=bank.application, now=NOON)
    assert shares(only) == [(date(2026, 11, 22), 0, 20, 1)]


@pytest.mark.parametrize("days", [-1, 10**9])
def test_a_period_that_makes_no_sense_is_refused(acme: UnitOfWork, days: int) -> None:
    with pytest.raises(ValueError, match="day"):
        CoverageRepository(acme).get_coverage_trend(days)


def test_the_day_of_nothing_is_nothing(acme: UnitOfWork) -> None:
    query = select(TestRun.run_key).where(utc_day(TestRun.ended_at).is_(None))
    assert acme.scalars(query).all() == ["r1"]


# Files


def test_the_least_covered_files_come_first(acme: UnitOfWork) -> None:
    run = add_run(
        acme,
        "r2",
        "shop",
        lines("", 0, 100),
        lines("none.py", 0, 0),
        lines("third-of-six.py", 2, 6),
        lines("third-b.py", 1, 3),
        lines("third-a.py", 1, 3),
        lines("all.py", 8, 8),
        lines("zero.py", 0, 1),
    )
    add_run(acme, "r3", "shop", lines("other.py", 0, 9))
    repository = CoverageRepository(acme)
    found = repository.least_covered(run, 4)
    names = [each.file for each in found]
    assert names == ["zero.py", "third-of-six.py", "third-a.py", "third-b.py"]
    assert found[1] == FileCoverage(
        file="third-of-six.py",
        covered_lines=2,
        total_lines=6,
        covered_branches=0,
        total_branches=0,
        covered_functions=0,
        total_functions=0,
    )
    assert found[1].line_coverage == 0.333333
    assert len(repository.least_covered(run.id)) == 5
    assert repository.least_covered(run, 0) == ()
    with pytest.raises(ValueError, match="0 or more"):
        repository.least_covered(run, -1)


# Tenants


def test_another_tenants_coverage_does_not_count(database: Database) -> None:
    with database.session(tenant="rival") as session:
        run_id = add_run(session, "r2", "shop", lines("a", 4, 8)).id
        application_id = session.scalars(select(Application.id)).one()
    with database.session(tenant="acme") as session:
        add_run(session, "r2", "shop", lines("a", 1, 2))
    with database.session(tenant="acme", read_only=True) as session:
        repository = CoverageRepository(session)
        assert repository.get_aggregate_coverage(now=NOON).total_lines == 2
        assert repository.get_aggregate_coverage(run=run_id) == NOTHING
        assert repository.get_aggregate_coverage(application=application_id, now=NOON) == NOTHING
        assert repository.least_covered(run_id) == ()
        assert [point.total_lines for point in repository.get_coverage_trend(now=NOON)] == [2]
    with database.session(all_tenants=True, read_only=True) as session:
        repository = CoverageRepository(session)
        assert repository.get_aggregate_coverage(now=NOON).total_lines == 10
        assert shares(repository.get_coverage_trend(now=NOON)) == [(NOON.date(), 5, 10, 2)]
    with Session(database.engine()) as session:
        assert CoverageRepository(session).get_aggregate_coverage(now=NOON).runs == 2
