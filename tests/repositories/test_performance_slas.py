"""SLAs and the worst that was measured against them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from qadb.errors import RowNotFound
from qadb.models import SLA, Application, PerformanceResult
from qadb.repositories.generic.base import Repository
from qadb.repositories.performance.repository import PerformanceRepository
from qadb.repositories.performance.slas import SlaCheck
from tests.repositories.measuring import NOW, measure, shop

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

P95 = "p95_response_time_ms"


@pytest.fixture
def performance(acme: UnitOfWork) -> PerformanceRepository:
    return PerformanceRepository(acme)


def promise(session: Session, threshold: float, metric: str = P95, **values: object) -> SLA:
    sla = SLA(**{"application": shop(session), "metric": metric, "threshold": threshold, **values})
    session.add(sla)
    session.flush()
    return sla


def check(performance: PerformanceRepository, *, days: int = 30) -> SlaCheck:
    """The only SLA's verdict."""
    (found,) = performance.against_sla(days=days, now=NOW)
    return found


def test_worst_request_of_the_period_counts(performance: PerformanceRepository) -> None:
    session = performance.session
    sla = promise(session, 200.5)
    measure(session, {"GET /": 900}, days_ago=31)
    measure(session, {"GET /": 100, "GET /cart": 250.25, "GET /none": None}, days_ago=30)
    worst = measure(session, {"GET /": 250.251}, days_ago=2)
    measure(session, {"GET /": 99}, days_ago=-5)

    assert check(performance) == SlaCheck(
        sla.id, "shop", None, P95, "ms", "lower", Decimal("200.5"),
        measurements=4, measured=Decimal("250.251"), is_met=False, margin=Decimal("-49.751"),
        worst_request="GET /", worst_run_id=worst.id,
    )  # fmt: skip
    assert check(performance, days=1).measured == 99
    assert check(performance, days=1).margin == Decimal("101.5")
    assert check(performance, days=100).measured == 900


def test_sla_of_a_request_looks_at_that_alone(performance: PerformanceRepository) -> None:
    session = performance.session
    promise(session, 100, request_name="GET /")
    run = measure(session, {"GET /": 100, "GET /cart": 900, "get /": 900})
    row = PerformanceResult(run=run, request_name="GET /", scenario="peak", p95_response_time_ms=90)
    session.add(row)

    found = check(performance)

    assert (found.request_name, found.measurements, found.measured) == ("GET /", 2, Decimal(100))
    assert (found.is_met, found.margin) == (True, Decimal(0))


def test_higher_is_better_where_the_sla_says_so(performance: PerformanceRepository) -> None:
    session = performance.session
    promise(session, 50, "rps_achieved", direction="higher")
    measure(session, {"GET /": None}, rps_achieved=49.5)
    measure(session, {"GET /": None}, rps_achieved=400, days_ago=2)

    found = check(performance)

    assert (found.measured, found.is_met, found.margin) == (
        Decimal("49.5"),
        False,
        Decimal("-0.5"),
    )
    assert found.unit == "requests/s"


def test_error_rate_is_failed_over_all_requests(performance: PerformanceRepository) -> None:
    session = performance.session
    promise(session, 0.05, "error_rate")
    measure(session, {"many": 1}, total_requests=1000, ok_requests=949, ko_requests=51)
    measure(session, {"few": 1}, total_requests=3, ok_requests=2, ko_requests=1, days_ago=2)
    measure(session, {"none": 1}, days_ago=3)

    found = check(performance)

    assert (found.measurements, found.worst_request) == (2, "few")
    assert (found.measured, found.margin) == (Decimal("0.333333"), Decimal("-0.283333"))


@pytest.mark.parametrize("metric", [P95, "mean_response_time_ms", "error_rate", "uptime"])
def test_nothing_measured_is_no_verdict(performance: PerformanceRepository, metric: str) -> None:
    session = performance.session
    promise(session, 1, metric, request_name="GET /", unit="u")
    measure(session, {"GET /": None})
    measure(session, {"GET /cart": 5}, days_ago=2)

    found = check(performance)

    assert (found.measurements, found.measured, found.is_met, found.margin) == (0, None, None, None)
    assert (found.worst_request, found.worst_run_id, found.unit) == (None, None, "u")


def test_ties_go_to_the_newest_run_and_the_first_name(performance: PerformanceRepository) -> None:
    session = performance.session
    promise(session, 1)
    measure(session, {"a": 5}, days_ago=1)
    newest = measure(session, {"b": 5, "Ä": 5, "B": 5, "_": 5}, days_ago=2)

    found = check(performance)

    assert (found.worst_request, found.worst_run_id) == ("B", newest.id)


def test_retired_slas_and_those_of_deleted_applications_are_left_out(
    performance: PerformanceRepository,
) -> None:
    session = performance.session
    gone = Application(code="gone", name="Gone")
    session.add(gone)
    promise(session, 1, is_active=False)
    promise(session, 1, application=gone)
    Repository(session, Application).delete(gone)

    assert performance.against_sla(now=NOW) == ()


def test_slas_are_listed_by_application_metric_and_request(
    performance: PerformanceRepository,
) -> None:
    session = performance.session
    other = Application(code="another", name="Another")
    promise(session, 1, request_name="b")
    promise(session, 2, request_name="a")
    promise(session, 3)
    promise(session, 4, "mean_response_time_ms")
    promise(session, 5, application=other)
    measure(session, {"a": 6}, application=other)

    found = performance.against_sla(now=NOW)

    assert [int(one.threshold) for one in found] == [5, 4, 3, 2, 1]
    assert [one.measured for one in found] == [6, None, None, None, None]
    assert performance.against_sla(application=other, now=NOW) == found[:1]
    assert performance.against_sla(application=shop(session).id, now=NOW) == found[1:]


def test_run_is_held_to_its_own_applications_slas(performance: PerformanceRepository) -> None:
    session = performance.session
    other = Application(code="another", name="Another")
    promise(session, 10)
    promise(session, 10, application=other)
    old = measure(session, {"GET /": 5}, days_ago=400)
    measure(session, {"GET /": 500})

    (found,) = performance.against_sla(run=old)

    assert (found.application, found.measured, found.is_met) == ("shop", Decimal(5), True)
    assert performance.against_sla(run=old.id) == (found,)


def test_what_can_not_be_checked_is_refused(performance: PerformanceRepository) -> None:
    session = performance.session
    run = measure(session, {"GET /": 5})

    with pytest.raises(ValueError, match="not for both"):
        performance.against_sla(run=run, application=shop(session))
    with pytest.raises(ValueError, match="days"):
        performance.against_sla(days=-1)
    with pytest.raises(RowNotFound):
        performance.against_sla(run=0)
    with pytest.raises(RowNotFound):
        performance.against_sla(application=0)


def test_tenants_do_not_meet_in_slas(database: Database) -> None:
    with database.session(tenant="rival") as rival:
        promise(rival, 10)
        theirs = measure(rival, {"GET /": 900}).id
    with database.session(tenant="acme") as acme:
        performance = PerformanceRepository(acme)
        assert performance.against_sla(now=NOW) == ()
        with pytest.raises(RowNotFound):
            performance.against_sla(run=theirs)
        promise(acme, 20)
        measure(acme, {"GET /": 7})
        assert check(performance).measured == 7

    with database.session(all_tenants=True, read_only=True) as everybody:
        found = PerformanceRepository(everybody).against_sla(now=NOW)
        assert [one.measured for one in found] == [900, 7]


def test_plain_sessions_will_do(database: Database) -> None:
    with Session(database.engine()) as session:
        assert PerformanceRepository(session).against_sla() == ()


def test_slas_are_checked_in_one_query(
    performance: PerformanceRepository, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    session = performance.session
    for number in range(20):
        promise(session, number, request_name=f"GET /{number}")
        measure(session, {f"GET /{n}": n for n in range(number)})

    with queries() as seen:
        found = performance.against_sla(now=NOW)

    assert (len(seen), len(found)) == (1, 20)
