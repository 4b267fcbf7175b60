"""What the demo holds: something in every table, and all of it plausible."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from qadb.demo.companies import DEMO_TENANT
from qadb.models import (
    SLA,
    AuditLog,
    Base,
    Event,
    Note,
    Order,
    PerformanceBaseline,
    PerformanceResult,
    RAGDocument,
    TestCase,
    TestResult,
    TestRun,
    User,
)
from qadb.models.recurrence import recurrence
from qadb.models.types import UtcDateTime
from qadb.operations.stats import read_stats
from qadb.reports.fingerprint import failure_signature
from qadb.repositories.ingesting.case_keys import make_case_key
from tests.demo.conftest import NOW
from tests.support.databases import fetch_rows

if TYPE_CHECKING:
    from datetime import datetime

    from qadb.database import Database

TENANTS = ["default", DEMO_TENANT]
TABLES = sorted(Base.metadata.tables)
OF_TENANTS = [name for name in TABLES if "tenant_id" in Base.metadata.tables[name].columns]

DIFFERING_TOTALS = """
SELECT run.id FROM test_runs AS run LEFT JOIN test_results AS result
  ON result.run_id = run.id AND result.is_final
GROUP BY run.id, run.total, run.passed, run.failed, run.errors, run.skipped
HAVING run.total <> count(result.run_id)
  OR run.passed <> count(CASE WHEN result.status = 'passed' THEN 1 END)
  OR run.failed <> count(CASE WHEN result.status = 'failed' THEN 1 END)
  OR run.errors <> count(CASE WHEN result.status IN ('error', 'timeout') THEN 1 END)
  OR run.skipped <> count(CASE WHEN result.status = 'skipped' THEN 1 END)
"""
WITHOUT_ONE_FINAL_ATTEMPT = """
SELECT run_id FROM test_results GROUP BY run_id, test_case_id, occurrence
HAVING count(CASE WHEN is_final THEN 1 END) <> 1
  OR max(CASE WHEN is_final THEN attempt END) <> max(attempt) OR count(*) <> max(attempt)
"""
WRONG_SUMS_OF_COVERAGE = """
SELECT run_id FROM coverage_data GROUP BY run_id
HAVING sum(covered_lines) <> 2 * sum(CASE WHEN file = '' THEN covered_lines ELSE 0 END)
  OR sum(total_branches) <> 2 * sum(CASE WHEN file = '' THEN total_branches ELSE 0 END)
"""
COVERAGE = """
SELECT tenant_id, covered_lines * 1.0 / total_lines FROM coverage_data
WHERE file = '' ORDER BY tenant_id, collected_at
"""


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_rows(demo: Database, table: str) -> None:
    (row,) = fetch_rows(demo, f"SELECT count(*) FROM {table}")

    assert row[0] != 0


@pytest.mark.parametrize("table", OF_TENANTS)
def test_both_tenants_have_rows_in_every_table(demo: Database, table: str) -> None:
    query = f"SELECT DISTINCT tenant_id FROM {table} ORDER BY tenant_id"

    assert [tenant for (tenant,) in fetch_rows(demo, query)] == TENANTS


def test_totals_of_runs_are_the_counts_of_their_final_results(demo: Database) -> None:
    assert fetch_rows(demo, DIFFERING_TOTALS) == []
    assert fetch_rows(demo, WITHOUT_ONE_FINAL_ATTEMPT) == []


@pytest.mark.parametrize("tenant", TENANTS)
def test_most_tests_of_each_tenant_pass(demo: Database, tenant: str) -> None:
    pass_rate = read_stats(demo, now=NOW, tenant=tenant).results.pass_rate

    assert pass_rate is not None
    assert 0.88 < pass_rate < 0.97


def test_stats_of_a_month_have_something_to_show(demo: Database) -> None:
    stats = read_stats(demo, now=NOW)

    assert stats.results.pass_rate is not None
    assert 0.94 < stats.results.pass_rate < 0.96
    assert 5_000 < stats.results.total <= 10_000
    assert min(stats.results.errors, stats.results.timeout, stats.results.skipped) > 0
    assert stats.runs.total == 199
    assert stats.runs.successful > stats.runs.failed > 0
    assert (len(stats.slowest), len(stats.most_failing)) == (10, 10)


def test_nothing_lies_in_the_future_but_events(demo: Database) -> None:
    newest: dict[str, datetime] = {}
    with demo.connect(read_only=True) as connection:
        for name in set(TABLES) - {"events", "audit_logs", "countries"}:
            table = Base.metadata.tables[name]
            for column in table.columns:
                if isinstance(column.type, UtcDateTime):
                    query = select(func.max(column))
                    if name == "tenants":
                        query = query.where(table.c.id == DEMO_TENANT)
                    found = connection.scalar(query)
                    if found is not None:
                        newest[f"{name}.{column.name}"] = found
        last_event = connection.scalar(select(func.max(Event.starts_at)))

    assert {name: at for name, at in newest.items() if at > NOW} == {}
    assert last_event is not None
    assert last_event > NOW


def test_flaky_tests_fail_first_and_pass_when_tried_again(demo: Database) -> None:
    query = """
        SELECT test.name, count(*) FROM test_results AS first
        JOIN test_results AS second ON second.run_id = first.run_id
          AND second.test_case_id = first.test_case_id AND second.occurrence = first.occurrence
        JOIN test_cases AS test ON test.id = first.test_case_id
        WHERE first.attempt = 1 AND second.attempt = 2 AND second.status = 'passed'
        GROUP BY test.name ORDER BY test.name
    """
    names = [name for name, count in fetch_rows(demo, query) if count != 0]

    assert names == ["test_keeps_order", "test_suggests_while_typing", "test_zooms_image"]
    occurrences = fetch_rows(demo, "SELECT max(occurrence) FROM test_results")
    assert occurrences == [(3,)]


def test_failures_of_one_kind_share_the_signature_that_ingest_gives(demo: Database) -> None:
    with demo.session(all_tenants=True, read_only=True) as session:
        failed = session.scalars(select(TestResult).where(TestResult.signature.is_not(None))).all()
    kinds = {result.signature for result in failed}

    assert len(failed) > 20 * len(kinds)
    assert len(kinds) == 7
    assert {r.signature for r in failed} == {
        failure_signature(r.error_type, r.message, r.stack_trace) for r in failed
    }
    assert all((r.stack_trace or "").endswith(f"{r.error_type}: {r.message}") for r in failed)


def test_one_test_of_each_application_gets_slower(demo: Database) -> None:
    query = """
        SELECT test.name, sum(CASE WHEN run.started_at < '2026-02-18' THEN duration_ms END) * 1.0
            / count(CASE WHEN run.started_at < '2026-02-18' THEN duration_ms END),
          sum(CASE WHEN run.started_at >= '2026-03-03' THEN duration_ms END) * 1.0
            / count(CASE WHEN run.started_at >= '2026-03-03' THEN duration_ms END)
        FROM test_results JOIN test_runs AS run ON run.id = run_id
        JOIN test_cases AS test ON test.id = test_case_id
        WHERE test.name IN ('test_sorts_large_result', 'test_exports_csv', 'test_sorts_by_year')
        GROUP BY test.name ORDER BY test.name
    """
    growth = {
        name: float(str(last)) / float(str(first)) for name, first, last in fetch_rows(demo, query)
    }

    assert len(growth) == 3
    assert all(1.4 < factor < 2.4 for factor in growth.values()), growth


def test_coverage_adds_up_and_rises(demo: Database) -> None:
    assert fetch_rows(demo, WRONG_SUMS_OF_COVERAGE) == []
    rates: dict[object, list[float]] = {}
    for tenant, rate in fetch_rows(demo, COVERAGE):
        rates.setdefault(tenant, []).append(float(str(rate)))

    for measured in rates.values():
        third = len(measured) // 3
        assert sum(measured[-third:]) > sum(measured[:third]) + 0.03 * third


def test_one_request_regressed_and_one_broke_its_promise(demo: Database) -> None:
    with demo.session(all_tenants=True, read_only=True) as session:
        baselines = session.scalars(select(PerformanceBaseline)).all()
        slas = session.scalars(select(SLA).where(SLA.request_name.is_not(None))).all()
        peak = select(PerformanceResult).where(PerformanceResult.scenario == "peak")
        results = session.scalars(peak.order_by(PerformanceResult.run_id)).all()
    allowed = {
        one.metric.partition(" ")[2]: one.value * (1 + one.tolerance_pct / 100) for one in baselines
    }
    promised = {one.request_name: one.threshold for one in slas}
    newest = {one.request_name: one.p95_response_time_ms or 0 for one in results}

    assert {name for name, p95 in newest.items() if p95 > allowed[name]} == {"POST /payments"}
    assert {name for name, p95 in newest.items() if p95 > promised[name]} == {"POST /checkout"}
    assert allowed.keys() == promised.keys() == newest.keys()


def test_embeddings_are_vectors_of_length_one(demo: Database) -> None:
    with demo.session(all_tenants=True, read_only=True) as session:
        embeddings = session.scalars(select(RAGDocument.embedding)).all()

    for embedding in embeddings:
        assert embedding is not None
        numbers = array("f", embedding)
        assert len(numbers) == 8
        assert math.isclose(sum(number * number for number in numbers), 1.0, rel_tol=1e-5)


def test_recurrence_rules_are_ones_that_the_model_takes(demo: Database) -> None:
    with demo.session(all_tenants=True, read_only=True) as session:
        rules = [rule for rule in session.scalars(select(Event.recurrence_rule)) if rule]

    assert len(rules) == 8
    assert [recurrence("rule").problem((rule,)) for rule in rules] == [None] * 8


def test_notes_are_found_without_their_accents(demo: Database) -> None:
    query = {
        "sqlite": "SELECT rowid FROM notes_search WHERE notes_search MATCH 'creme'",
        "postgresql": "SELECT id FROM notes WHERE search_document @@ to_tsquery('simple', 'creme')",
    }[demo.backend.name]
    found = {note_id for (note_id,) in fetch_rows(demo, query)}

    with demo.session(all_tenants=True, read_only=True) as session:
        notes = session.scalars(select(Note)).all()
    assert found == {note.id for note in notes if "Crème" in note.content}
    assert len(found) == 2


def test_tests_are_known_by_the_keys_that_ingest_makes(demo: Database) -> None:
    with demo.session(tenant="default", read_only=True) as session:
        cases = session.scalars(select(TestCase)).all()
        keys = [
            make_case_key(case.application.code, case.suite, case.classname, case.name)
            for case in cases
            if case.application is not None
        ]
        links = [len(case.features) for case in cases]

    assert [case.case_key for case in cases] == keys
    assert links == [1] * len(cases)


def test_orders_add_up(demo: Database) -> None:
    with demo.session(all_tenants=True, read_only=True) as session:
        orders = session.scalars(select(Order)).all()

    assert {order.status for order in orders} == {"pending", "processing", "completed", "cancelled"}
    assert {str(order.total_price - order.subtotal) for order in orders} == {"4.90"}
    assert any(order.user_id is None for order in orders)


def test_changes_are_logged_in_the_name_of_somebody_of_the_tenant(demo: Database) -> None:
    with demo.session(all_tenants=True, read_only=True) as session:
        entries = session.scalars(select(AuditLog)).all()
        tenants = dict(session.execute(select(User.id, User.tenant_id)).all())
    named = [entry for entry in entries if entry.user_id is not None]

    assert {entry.action_type for entry in entries} == {"INSERT", "UPDATE"}
    assert {entry.table_name for entry in entries if entry.user_id is None} == {"users"}
    assert {entry.tenant_id for entry in named} == set(TENANTS)
    assert all(tenants[entry.user_id] == entry.tenant_id for entry in named)  # type: ignore[index]  # not None
    if demo.backend.name == "sqlite":
        assert fetch_rows(demo, "SELECT count(*) FROM audit_context") == [(0,)]


def test_nobody_can_sign_in(demo: Database) -> None:
    with demo.session(all_tenants=True, read_only=True) as session:
        users = session.scalars(select(User)).all()

    assert {(user.password_hash, user.api_key_hash) for user in users} == {(None, None)}


def test_runs_are_of_every_kind(demo: Database) -> None:
    with demo.session(tenant="default", read_only=True) as session:
        runs = session.scalars(select(TestRun)).all()

    assert {run.status for run in runs} == {"completed", "failed", "cancelled", "running"}
    assert {run.result for run in runs} == {"success", "failure", "error", None}
    assert {"main", "feature/gift-cards"} < {run.branch for run in runs}
    assert len({run.run_key for run in runs}) == len(runs)
    assert [run.is_protected for run in runs].count(True) == 2
