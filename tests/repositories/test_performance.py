"""Baselines and what is worse than they tolerate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from qadb.errors import RowNotFound
from qadb.models import (
    Application,
    Environment,
    HardwareConfig,
    PerformanceBaseline,
    PerformanceResult,
    TestRun,
)
from qadb.repositories.generic.base import Repository
from qadb.repositories.performance.repository import PerformanceRepository, Regression
from tests.repositories.measuring import NOW, measure, shop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork

P95 = "p95_response_time_ms"


@pytest.fixture
def performance(acme: UnitOfWork) -> PerformanceRepository:
    return PerformanceRepository(acme)


def baselines(session: Session) -> Sequence[PerformanceBaseline]:
    return session.scalars(select(PerformanceBaseline).order_by(PerformanceBaseline.id)).all()


def lasting(session: Session) -> list[Decimal]:
    """Values of those that nothing has ended."""
    return [row.value for row in baselines(session) if row.valid_to is None]


def found(regressions: Sequence[Regression]) -> list[tuple[object, ...]]:
    return [(one.metric, one.request_name, one.measured) for one in regressions]


def test_new_baseline_ends_the_one_before_it(performance: PerformanceRepository) -> None:
    session = performance.session

    first = performance.set_baseline(shop(session), P95, 200)
    second = performance.set_baseline(shop(session).id, P95, 180.5, tolerance_pct=10)

    assert (first.valid_to, second.valid_to) == (second.valid_from, None)
    assert (second.value, second.tolerance_pct) == (Decimal("180.5"), Decimal(10))
    assert (second.unit, second.direction, second.run_id) == ("ms", "lower", None)
    assert second.tenant_id == "acme"


def test_baselines_of_other_keys_stay_valid(performance: PerformanceRepository) -> None:
    session = performance.session
    other = Application(code="other", name="Other")
    staging, box = Environment(name="staging"), HardwareConfig(name="box")
    session.add_all([other, staging, box])
    session.flush()

    performance.set_baseline(shop(session), P95, 1, environment=staging)
    performance.set_baseline(shop(session), P95, 2, hardware_config=box)
    performance.set_baseline(shop(session), P95, 3, environment=staging, hardware_config=box.id)
    performance.set_baseline(shop(session), "mean_response_time_ms", 4)
    performance.set_baseline(shop(session), f"{P95} GET /cart", 5)
    performance.set_baseline(other, P95, 6)
    performance.set_baseline(shop(session), P95, 7)
    performance.set_baseline(shop(session), P95, 8, environment=staging.id)

    assert lasting(session) == [2, 3, 4, 5, 6, 7, 8]


def test_baseline_of_the_past_ends_where_the_next_one_begins(
    performance: PerformanceRepository,
) -> None:
    application = shop(performance.session)
    begins = [NOW, NOW - timedelta(days=9), NOW - timedelta(days=5), NOW - timedelta(days=5)]

    rows = [
        performance.set_baseline(application, P95, value, valid_from=valid_from)
        for value, valid_from in enumerate(begins)
    ]

    assert [row.valid_to for row in rows] == [None, begins[2], begins[2], begins[0]]


def test_baseline_takes_its_value_from_the_worst_request_of_a_run(
    performance: PerformanceRepository,
) -> None:
    session = performance.session
    run = measure(
        session,
        {"GET /": 120, "GET /cart": 250.25, "GET /none": None},
        rps_achieved=40,
        total_requests=8,
        ok_requests=5,
        ko_requests=3,
    )

    assert performance.set_baseline(shop(session), P95, run=run).value == Decimal("250.25")
    assert performance.set_baseline(shop(session), f"{P95} GET /", run=run.id).value == 120
    assert performance.set_baseline(shop(session), "error_rate", run=run).value == Decimal("0.375")
    rps = performance.set_baseline(shop(session), "rps_achieved", run=run)
    assert (rps.value, rps.unit, rps.direction) == (Decimal(40), "requests/s", "higher")
    assert {row.run_id for row in baselines(session)} == {run.id}


def test_what_a_baseline_can_not_be_is_refused(performance: PerformanceRepository) -> None:
    session = performance.session
    own, run = shop(session), measure(session, {"GET /": None})
    other = Application(code="other", name="Other")
    session.add(other)
    session.flush()

    with pytest.raises(ValueError, match="no metric 'p96'; there are mean_response_time_ms, p50_"):
        performance.set_baseline(own, "p96", 1)
    with pytest.raises(ValueError, match="names no request"):
        performance.set_baseline(own, f"{P95} ", 1)
    with pytest.raises(ValueError, match="needs a value, or a run"):
        performance.set_baseline(own, P95)
    with pytest.raises(ValueError, match=f"run {run.id} has not measured {P95}"):
        performance.set_baseline(own, P95, run=run)
    with pytest.raises(ValueError, match="another application's"):
        performance.set_baseline(other, P95, 1, run=run)
    with pytest.raises(ValueError, match="can't be negative"):
        performance.set_baseline(own, P95, -1)
    with pytest.raises(ValueError, match="direction"):
        performance.set_baseline(own, P95, 1, direction="sideways")
    with pytest.raises(ValueError, match="tolerance_pct"):
        performance.set_baseline(own, P95, 1, tolerance_pct=-1)
    with pytest.raises(ValueError, match="time zone"):
        performance.set_baseline(own, P95, 1, valid_from=NOW.replace(tzinfo=None))
    assert baselines(session) == []


def test_what_a_baseline_stands_on_must_be_there(performance: PerformanceRepository) -> None:
    session = performance.session
    gone = Environment(name="gone")
    session.add(gone)
    session.flush()
    Repository(session, Environment).delete(gone)

    with pytest.raises(RowNotFound, match="no application 0"):
        performance.set_baseline(0, P95, 1)
    with pytest.raises(RowNotFound, match="in environments"):
        performance.set_baseline(shop(session), P95, 1, environment=gone)
    with pytest.raises(RowNotFound, match="0 in hardware_configs"):
        performance.set_baseline(shop(session), P95, 1, hardware_config=0)
    with pytest.raises(RowNotFound, match="0 in test_runs"):
        performance.set_baseline(shop(session), P95, 1, run=0)
    Repository(session, Application).delete(shop(session))
    with pytest.raises(RowNotFound, match="no application"):
        performance.set_baseline(shop(session).id, P95, 1)


def test_two_that_set_a_baseline_at_once_leave_one_valid(database: Database) -> None:
    def set_one(value: int) -> None:
        with database.session(tenant="acme") as session:
            PerformanceRepository(session).set_baseline(shop(session), P95, value)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(set_one, range(1, 13)))

    with database.session(tenant="acme") as session:
        assert len(lasting(session)) == 1
        rows = sorted(baselines(session), key=lambda row: (row.valid_from, row.valid_to or NOW))
        spans = [(row.valid_from, row.valid_to) for row in rows if row.valid_from != row.valid_to]
        assert [end for _, end in spans] == [*(start for start, _ in spans[1:]), None]
        assert len(rows) == 12


def test_regressions_are_worse_than_the_baseline_tolerates(
    performance: PerformanceRepository,
) -> None:
    session = performance.session
    baseline = performance.set_baseline(shop(session), P95, 200, tolerance_pct=10)
    run = measure(session, {"just": 220, "over": 220.001, "quick": 10, "none": None, "awful": 500})

    assert performance.regressions(run) == (
        Regression(
            baseline.id, P95, "awful", "", "ms", "lower",
            measured=Decimal(500), baseline=Decimal(200), tolerance_pct=Decimal(10), change=1.5,
        ),
        Regression(
            baseline.id, P95, "over", "", "ms", "lower",
            measured=Decimal("220.001"), baseline=Decimal(200), tolerance_pct=Decimal(10),
            change=0.100005,
        ),
    )  # fmt: skip


def test_higher_is_better_where_the_baseline_says_so(performance: PerformanceRepository) -> None:
    session = performance.session
    performance.set_baseline(shop(session), "rps_achieved", 100, tolerance_pct=5)
    run = measure(session, {"GET /": None}, rps_achieved=94)
    fine = measure(session, {"GET /": None}, rps_achieved=95, days_ago=2)

    (slower,) = performance.regressions(run)

    assert (slower.measured, slower.change) == (Decimal(94), -0.06)
    assert performance.regressions(fine) == ()


def test_change_from_nothing_has_no_fraction(performance: PerformanceRepository) -> None:
    session = performance.session
    performance.set_baseline(shop(session), "error_rate", 0, tolerance_pct=50)
    run = measure(session, {"GET /": 1}, total_requests=3, ok_requests=2, ko_requests=1)
    unused = measure(session, {"GET /": 1}, days_ago=2)

    (worse,) = performance.regressions(run.id)

    assert (worse.measured, worse.unit, worse.change) == (Decimal("0.333333"), "fraction", None)
    assert performance.regressions(unused) == ()


def test_request_with_a_baseline_of_its_own_is_held_to_that_alone(
    performance: PerformanceRepository,
) -> None:
    session = performance.session
    run = measure(session, {"GET /cart": 150, "GET /export": 900, "GET /": 150})
    session.add(
        PerformanceResult(
            run=run, request_name="GET /export", scenario="peak", p95_response_time_ms=1001
        )
    )
    performance.set_baseline(shop(session), P95, 200)
    performance.set_baseline(shop(session), f"{P95} GET /export", 1000)
    performance.set_baseline(shop(session), f"{P95} GET /cart", 100)
    performance.set_baseline(shop(session), "p50_response_time_ms GET /", 1)

    assert found(performance.regressions(run)) == [
        (P95, "GET /cart", 150),
        (P95, "GET /export", 1001),
    ]


def test_baseline_closest_to_the_run_counts(performance: PerformanceRepository) -> None:
    session = performance.session
    box, laptop = HardwareConfig(name="box"), HardwareConfig(name="laptop")
    staging = Environment(name="staging", hardware_config=box)
    ci = Environment(name="ci", hardware_config=laptop)
    run = measure(session, {"GET /": 150})
    run.environment = staging
    elsewhere = measure(session, {"GET /": 150}, days_ago=2)
    session.add_all([box, laptop, staging, ci])
    session.flush()

    def judged_by(value: int, **where: Environment | HardwareConfig) -> list[int]:
        """Values of the baselines that count for the two runs, once there is one more."""
        performance.set_baseline(shop(session), P95, value, **where)  # type: ignore[arg-type]  # each by its name
        judged = [*performance.regressions(run), *performance.regressions(elsewhere)]
        return [int(one.baseline) for one in judged]

    assert judged_by(1) == [1, 1]
    assert judged_by(2, environment=ci) == [1, 1]
    assert judged_by(3, hardware_config=laptop) == [1, 1]
    assert judged_by(4, hardware_config=box) == [4, 1]
    assert judged_by(5, environment=staging) == [5, 1]
    assert judged_by(6, environment=staging, hardware_config=box) == [6, 1]
    assert judged_by(7, environment=staging, hardware_config=laptop) == [6, 1]
    assert judged_by(8, environment=staging) == [6, 1]


def test_baselines_count_while_they_are_valid(performance: PerformanceRepository) -> None:
    session = performance.session
    run = measure(session, {"GET /": 150}, days_ago=100)
    days = [NOW - timedelta(days=n) for n in range(4)]
    performance.set_baseline(shop(session), P95, 100, valid_from=days[2])
    performance.set_baseline(shop(session), P95, 200, valid_from=days[1])
    in_force = [bool(performance.regressions(run, now=day)) for day in reversed(days)]
    ended = performance.set_baseline(shop(session), "p99_response_time_ms", 1)
    ended.valid_to = ended.valid_from

    assert in_force == [False, True, False, False]
    assert performance.regressions(run) == ()


def test_run_without_measurements_or_baselines_has_no_regressions(
    performance: PerformanceRepository,
) -> None:
    session = performance.session
    session.add(PerformanceBaseline(application=shop(session), metric="uptime", value=1))
    run = measure(session, {"GET /": 150})
    empty = measure(session, {}, days_ago=2)

    assert performance.regressions(run) == ()
    assert performance.regressions(empty) == ()
    with pytest.raises(RowNotFound):
        performance.regressions(0)


def test_tenants_do_not_meet_in_baselines(database: Database) -> None:
    with database.session(tenant="rival") as rival:
        performance = PerformanceRepository(rival)
        theirs = measure(rival, {"GET /": 900}).id
        their_shop = shop(rival).id
        performance.set_baseline(their_shop, P95, 1)

    with database.session(tenant="acme") as acme:
        performance = PerformanceRepository(acme)
        with pytest.raises(RowNotFound):
            performance.set_baseline(their_shop, P95, 2)
        with pytest.raises(RowNotFound):
            performance.set_baseline(shop(acme), P95, run=theirs)
        with pytest.raises(RowNotFound):
            performance.regressions(theirs)
        own = measure(acme, {"GET /": 900})
        acme.add(PerformanceResult(run_id=theirs, request_name="smuggled", p95_response_time_ms=5))
        acme.flush()
        assert performance.regressions(own) == ()
        performance.set_baseline(shop(acme), P95, 3)
        assert found(performance.regressions(own)) == [(P95, "GET /", 900)]

    with database.session(all_tenants=True, read_only=True) as everybody:
        assert found(PerformanceRepository(everybody).regressions(theirs)) == [
            (P95, "GET /", 900), (P95, "smuggled", 5),
        ]  # fmt: skip
        assert lasting(everybody) == [1, 3]


def test_baseline_set_for_all_tenants_goes_to_the_applications_own(database: Database) -> None:
    with database.session(all_tenants=True) as session:
        rivals = session.scalars(select(Application).where(Application.tenant_id == "rival")).one()
        row = PerformanceRepository(session).set_baseline(rivals, P95, 1)
        assert row.tenant_id == "rival"


def test_plain_sessions_will_do(database: Database) -> None:
    with Session(database.engine()) as session:
        run = session.scalars(select(TestRun).order_by(TestRun.id)).all()[0]
        performance = PerformanceRepository(session)
        performance.create(run_id=run.id, request_name="GET /", p95_response_time_ms=2)
        performance.set_baseline(run.application, P95, 1)

        assert found(performance.regressions(run)) == [(P95, "GET /", 2)]


def test_regressions_cost_the_same_whatever_a_run_measured(
    performance: PerformanceRepository, queries: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    session = performance.session
    small = measure(session, {"GET /": 900})
    large = measure(session, {f"GET /{n}": 900 for n in range(50)}, days_ago=2)
    for metric in (P95, "p50_response_time_ms", *(f"{P95} GET /{n}" for n in range(20))):
        performance.set_baseline(shop(session), metric, 1)
    counts = []
    for run, number in ((small, 1), (large, 50)):
        with queries() as seen:
            assert len(performance.regressions(run)) == number
        counts.append(len(seen))

    assert counts[0] == counts[1] <= 4
