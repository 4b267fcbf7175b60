"""A run's duration follows from its moments where nobody states it, on both engines alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from qadb.models import Application, TestRun
from tests.models.rows import MORNING, NOON, make_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session

DAWN = "2026-11-22T06:00:00.000000Z"
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)

# when a run that began at dawn ended: seconds, to a thousandth, half up.
ENDS = {
    "2026-11-22T06:00:00.000000Z": "0.000",
    "2026-11-22T06:00:00.000499Z": "0.000",
    "2026-11-22T06:00:00.000500Z": "0.001",
    "2026-11-23T06:00:01.500001Z": "86401.500",
    "2028-03-01T05:59:59.999999Z": "40176000.000",
    "2058-07-31T07:46:39.999499Z": "999999999.999",
    "2058-07-31T07:46:39.999500Z": None,
    "2096-11-22T06:00:00.000000Z": None,
}


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """An application without runs."""
    with engine.connect() as connection:
        connection.execute(insert(Application).values(id=1, code="shop", name="Shop"))
        yield connection


def _insert(connection: Connection, **values: str) -> None:
    """Insert a run by SQL alone."""
    row = {"run_key": "r1", "application_id": "1", **values}
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO test_runs ({', '.join(row)}) VALUES ({marks})"), row)


def _duration(connection: Connection) -> Decimal | None:
    return connection.scalar(select(TestRun.duration_seconds))


def _updated_at(connection: Connection) -> datetime:
    return connection.execute(select(TestRun.updated_at)).scalar_one()


@pytest.mark.parametrize("ended_at", ENDS)
def test_a_run_that_sql_inserts_gets_its_duration(connection: Connection, ended_at: str) -> None:
    expected = ENDS[ended_at]
    _insert(connection, started_at=DAWN, ended_at=ended_at)
    assert _duration(connection) == (None if expected is None else Decimal(expected))


def test_a_run_gets_it_when_it_ends(connection: Connection) -> None:
    _insert(connection, started_at=DAWN)
    assert _duration(connection) is None
    connection.execute(text("UPDATE test_runs SET ended_at = '2026-11-22T06:00:02.000000Z'"))
    assert _duration(connection) == Decimal("2.000")


def test_a_start_that_the_database_sets_counts(connection: Connection) -> None:
    _insert(connection, ended_at="2050-01-01T00:00:00.000000Z")
    run = connection.execute(select(TestRun.started_at, TestRun.ended_at)).one()
    assert run.ended_at is not None
    elapsed = (run.ended_at - run.started_at).total_seconds()
    assert _duration(connection) == Decimal(str(round(elapsed, 3)))


def test_sql_changes_no_duration_that_is_stated_and_derives_one_that_is_taken_away(
    connection: Connection,
) -> None:
    end = "2026-11-22T06:00:02.000000Z"
    _insert(connection, started_at=DAWN, ended_at=end, duration_seconds="7")
    stated = _duration(connection)
    connection.execute(text("UPDATE test_runs SET ended_at = '2026-11-22T06:00:03.000000Z'"))
    assert _duration(connection) == stated is not None
    connection.execute(text("UPDATE test_runs SET duration_seconds = NULL"))
    assert _duration(connection) == Decimal("3.000")


def test_moments_out_of_order_are_refused_as_such(connection: Connection) -> None:
    with pytest.raises(IntegrityError, match="ck_test_runs_ended_at_order"):
        _insert(connection, started_at=DAWN, ended_at="2026-11-22T05:00:00.000000Z")


def test_a_stated_time_of_change_stays(connection: Connection) -> None:
    old = "2001-01-01T00:00:00.000000Z"
    _insert(connection, started_at=DAWN, ended_at=DAWN, updated_at=old)
    assert _updated_at(connection) == LONG_AGO
    end = "2026-11-22T06:00:02.000000Z"
    later = text("UPDATE test_runs SET ended_at = :end, duration_seconds = NULL, updated_at = :old")
    connection.execute(later, {"end": end, "old": "2002-01-01T00:00:00.000000Z"})
    assert _updated_at(connection) == datetime(2002, 1, 1, tzinfo=UTC)
    assert _duration(connection) == Decimal("2.000")


@pytest.mark.parametrize("recursive", ["OFF", "ON"])
def test_a_change_that_ends_a_run_moves_its_time(connection: Connection, recursive: str) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA recursive_triggers = {recursive}")
    _insert(connection, started_at=DAWN, updated_at="2001-01-01T00:00:00.000000Z")
    connection.execute(text("UPDATE test_runs SET ended_at = '2026-11-22T06:00:02.000000Z'"))
    assert _updated_at(connection) > datetime(2020, 1, 1, tzinfo=UTC)
    assert _duration(connection) == Decimal("2.000")


@pytest.fixture
def run(session: Session) -> TestRun:
    """A run from morning to noon."""
    run = make_run(started_at=MORNING, ended_at=NOON)
    session.add(run)
    session.commit()
    return run


def test_a_moment_that_changes_takes_the_duration_along(session: Session, run: TestRun) -> None:
    run.ended_at = MORNING + timedelta(seconds=5)
    session.flush()
    assert run.duration_seconds == 5
    run.started_at = MORNING + timedelta(seconds=2)
    session.flush()
    assert run.duration_seconds == 3
    run.ended_at = None
    session.commit()
    assert run.duration_seconds is None


def test_a_duration_that_is_stated_with_a_moment_stays(session: Session, run: TestRun) -> None:
    run.ended_at, run.duration_seconds = MORNING + timedelta(seconds=5), Decimal(4)
    session.commit()
    assert run.duration_seconds == 4
    run.ended_at, run.duration_seconds = MORNING + timedelta(seconds=6), Decimal(4)
    session.commit()
    assert run.duration_seconds == 4


def test_a_duration_outlives_other_changes(session: Session, run: TestRun) -> None:
    run.duration_seconds = Decimal(7)
    session.commit()
    run.status, run.ended_at = "completed", NOON
    session.commit()
    assert run.duration_seconds == 7


def test_a_duration_without_an_end_outlives_another_start(session: Session) -> None:
    run = make_run(started_at=MORNING, duration_seconds=Decimal(7))
    session.add(run)
    session.commit()
    run.started_at = NOON
    session.commit()
    assert run.duration_seconds == 7


def test_moments_that_are_sql_are_left_to_the_database(session: Session, run: TestRun) -> None:
    run.ended_at = select(func.max(TestRun.started_at)).scalar_subquery()
    session.flush()
    assert run.duration_seconds == 0


def test_a_run_that_took_decades_has_no_duration(session: Session) -> None:
    run = make_run(started_at=LONG_AGO, ended_at=LONG_AGO + timedelta(days=20_000))
    session.add(run)
    session.commit()
    assert run.duration_seconds is None


def test_a_bulk_update_ends_runs_too(session: Session) -> None:
    session.add(make_run(started_at=MORNING))
    session.flush()
    session.execute(update(TestRun).values(ended_at=MORNING + timedelta(seconds=5)))
    session.expire_all()
    assert session.scalars(select(TestRun.duration_seconds)).all() == [Decimal("5.000")]
