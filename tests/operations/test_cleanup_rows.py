"""cleanup row by row: limits of age, what follows, and rows that refer to each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from qadb.errors import ConfigurationError
from qadb.models import AuditLog, PerformanceBaseline, TestRun, User
from qadb.operations.cleanup import CleanupOptions, Wishes, cleanup, plan_cleanup
from tests.support.aged import NOW, add, add_audit_logs, add_every_kind, add_runs, add_tenant, ago
from tests.support.databases import execute, fetch_rows

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.operations.cleanup import CleanupReport

DEFAULTS = CleanupOptions(now=NOW)


def deleted(report: CleanupReport) -> dict[str, int]:
    """Rows by table, of those where any went."""
    return {name: table.deleted for name, table in report.tables.items() if table.deleted}


def test_run_goes_with_everything_that_follows_it(migrated: Database) -> None:
    old, young = add_runs(migrated, 180.01, 179.99)

    report = cleanup(migrated, DEFAULTS)

    assert deleted(report) == {
        "test_runs": 1,
        "test_results": 3,
        "failure_analyses": 1,
        "coverage_data": 1,
        "performance_results": 1,
        "ingest_files": 1,
    }
    for table in deleted(report):
        column = "id" if table == "test_runs" else "run_id"
        assert {row[0] for row in fetch_rows(migrated, f"SELECT {column} FROM {table}")} == {young}
    assert old != young


def test_audit_log_of_two_years_goes_by_its_own_policy_alone(migrated: Database) -> None:
    add_audit_logs(migrated, 731, 729)
    add_runs(migrated, 1)

    by_days = cleanup(migrated, CleanupOptions(now=NOW, wishes=Wishes(days=1)))

    assert by_days.tables["audit_logs"].deleted == 1
    query = "SELECT record_id FROM audit_logs WHERE action_type = 'UPDATE'"
    assert ("729",) in fetch_rows(migrated, query)
    assert ("731",) not in fetch_rows(migrated, query)


def test_bug_that_is_fixed_loses_its_run_and_stays(migrated: Database) -> None:
    (run,) = add_runs(migrated, 200)
    execute(migrated, f"INSERT INTO bugs (title, status, run_id) VALUES ('b', 'fixed', {run})")

    report = cleanup(migrated, DEFAULTS)

    assert report.tables["test_runs"].deleted == 1
    assert fetch_rows(migrated, "SELECT title, run_id FROM bugs") == [("b", None)]


def test_softly_deleted_users_who_made_each_other_go_together(migrated: Database) -> None:
    add_every_kind(migrated)

    report = cleanup(migrated, DEFAULTS)

    left = {str(row[0]) for row in fetch_rows(migrated, "SELECT username FROM users")}
    assert {"old-user", "old-author"} <= left
    assert not {"old-one", "old-two"} & left
    assert report.tables["users"].kept == {"referenced": 1}


def test_row_that_refers_to_itself_goes(migrated: Database) -> None:
    (role,) = fetch_rows(migrated, "SELECT id FROM roles WHERE name = 'viewer'")[0]
    add(migrated, User(username="own", role_id=role, deleted_at=ago(40)))
    execute(migrated, "UPDATE users SET created_by = id WHERE username = 'own'")

    report = cleanup(migrated, DEFAULTS)

    assert report.tables["users"].deleted == 1


def test_circle_that_something_alive_refers_to_stays_whole(migrated: Database) -> None:
    add_every_kind(migrated)
    execute(
        migrated,
        "INSERT INTO notes (title, user_id) SELECT 'n', id FROM users WHERE username = 'old-one'",
    )

    report = cleanup(migrated, DEFAULTS)

    left = {str(row[0]) for row in fetch_rows(migrated, "SELECT username FROM users")}
    assert {"old-one", "old-two"} <= left
    assert report.tables["users"].kept == {"referenced": 3}


def test_one_row_a_transaction_takes_the_same_as_all_at_once(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_every_kind(migrated)
    plan = plan_cleanup(migrated, DEFAULTS)
    monkeypatch.setattr("qadb.cleaning.pace.Pace.next_rows", 1)
    monkeypatch.setattr("qadb.cleaning.subjects.CHUNK_ROWS", 2)
    monkeypatch.setattr("qadb.cleaning.unreferenced.CHUNK_ROWS", 2)

    report = cleanup(migrated, DEFAULTS)

    assert report.tables == plan.tables
    assert sum(deleted(report).values()) > 20


def test_runs_of_the_same_tests_go_together_where_that_spares_pages(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = ("shop", "kiosk", "shop", "kiosk")
    runs = [add_runs(migrated, 200 + n, code=code)[0] for n, code in enumerate(codes)]
    cleaner = migrated.backend.cleaner
    rhythm = replace(cleaner.rhythm(is_fast=False), sessions=1)  # two would end in any order
    monkeypatch.setattr(cleaner, "rhythm", lambda **_: rhythm)
    monkeypatch.setattr("qadb.cleaning.pace.Pace.next_rows", 1)

    cleanup(migrated, DEFAULTS)

    with migrated.session(all_tenants=True) as unit:
        query = select(AuditLog).where(AuditLog.record_id == "cleanup").order_by(AuditLog.id)
        order = [int(str((entry.new_values or {})["first"])) for entry in unit.scalars(query)]
    assert order == ([*runs[::2], *runs[1::2]] if rhythm.gathers else runs)


def test_what_has_become_young_or_protected_meanwhile_stays(migrated: Database) -> None:
    runs = add_runs(migrated, 200, 201, 202)
    plan = plan_cleanup(migrated, DEFAULTS)
    with migrated.connect() as connection:
        protect = update(TestRun).where(TestRun.id == runs[0]).values(is_protected=True)
        connection.execute(protect)
    add(migrated, PerformanceBaseline(application_id=_application(migrated), metric="m", value=1,
                                      run_id=runs[1]))  # fmt: skip

    report = cleanup(migrated, DEFAULTS)

    assert plan.tables["test_runs"].deleted == 3
    assert report.tables["test_runs"].deleted == 1
    assert report.tables["test_runs"].kept == {"protected": 1, "baseline": 1}


def _application(database: Database) -> int:
    return int(str(fetch_rows(database, "SELECT min(id) FROM applications")[0][0]))


def test_moment_that_ages_count_up_to_may_be_another(migrated: Database) -> None:
    add_runs(migrated, 200)

    earlier = CleanupOptions(now=NOW - timedelta(days=30))

    assert cleanup(migrated, earlier).tables["test_runs"].deleted == 0
    assert cleanup(migrated, DEFAULTS).tables["test_runs"].deleted == 1


def test_tenant_that_nobody_knows_is_refused_and_the_known_ones_are_named(
    migrated: Database,
) -> None:
    add_tenant(migrated)
    nobody = CleanupOptions(now=NOW, tenant="acm")

    for operation in (plan_cleanup, cleanup):
        with pytest.raises(ConfigurationError, match="There is no tenant 'acm'") as caught:
            operation(migrated, nobody)
        assert caught.value.hint is not None
        assert "acme, default" in caught.value.hint


def test_tenants_audit_log_goes_by_itself(migrated: Database) -> None:
    add_tenant(migrated)
    for tenant in ("acme", "default"):
        add_audit_logs(migrated, 800, tenant=tenant)

    report = cleanup(migrated, CleanupOptions(now=NOW, tenant="acme"))

    assert report.tables["audit_logs"].deleted == 1
    query = "SELECT tenant_id, table_name, record_id FROM audit_logs WHERE action_type <> 'INSERT'"
    assert set(fetch_rows(migrated, query)) == {
        ("default", "products", "800"),
        ("acme", "audit_logs", "cleanup"),
    }
