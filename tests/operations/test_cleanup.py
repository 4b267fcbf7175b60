"""Cleanup deletes exactly what the policies say, and a plan says exactly that before."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

import pytest
from sqlalchemy import select

from qadb.errors import ConfigurationError, EmptyDatabase, LockNotAvailable
from qadb.models import AuditLog
from qadb.operations.cleanup import CleanupOptions, Wishes, cleanup, plan_cleanup
from qadb.operations.status import read_status
from qadb.settings.retention import RetentionSetting
from tests.operations.cleanup_scene import (
    FOLLOWERS,
    NOW,
    expected_to_go,
    fill,
    key_of,
    keys_of,
    read_all,
)
from tests.support.databases import execute, fetch_rows

if TYPE_CHECKING:
    from qadb.database import Database

# A deletion empties what refers to what went, and the log grows.
CHANGED = ("bugs", "tool_executions", "audit_logs")


@pytest.fixture
def scene(migrated: Database) -> Database:
    """Something of every kind."""
    fill(migrated)
    return migrated


def options(**wishes: object) -> CleanupOptions:
    return CleanupOptions(Wishes(**wishes), now=NOW)  # type: ignore[arg-type]  # as a caller writes them


def deleted(report: object) -> dict[str, int]:
    tables = report.tables  # type: ignore[attr-defined]  # of either report
    return {name: table.deleted for name, table in tables.items() if table.deleted}


@pytest.mark.parametrize("days", [180, 30])
def test_exactly_what_an_independent_count_says_goes(scene: Database, days: int) -> None:
    before = read_all(scene)
    going = expected_to_go(before, days)
    wishes = {} if days == 180 else {"days": days}

    plan = plan_cleanup(scene, options(**wishes))
    report = cleanup(scene, options(**wishes))

    after = read_all(scene)
    left = keys_of(after)
    entries = {key_of("audit_logs", row) for row in before["audit_logs"]}
    left["audit_logs"] &= entries
    assert {table: keys - left[table] for table, keys in keys_of(before).items()} == going
    assert all(going[table] for table in (*FOLLOWERS, "test_runs", "test_cases", "users"))
    for table, rows in after.items():
        if table not in CHANGED:
            former = {key_of(table, row): row for row in before[table]}
            assert {key_of(table, row): row for row in rows} == {
                key: former[key] for key in left[table]
            }
    assert plan.tables == report.tables
    assert deleted(report) == {table: len(keys) for table, keys in going.items() if keys}
    assert report.complete
    assert cleanup(scene, options(**wishes)).deleted == 0


def test_what_stays_is_counted_by_its_reason(scene: Database) -> None:
    report = plan_cleanup(scene, options())

    assert report.tables["test_runs"].kept == {
        "protected": 1,
        "baseline": 1,
        "open_bug": 1,
        "failure_analysis": 2,
        "hold": 2,
    }
    assert report.tables["test_cases"].kept == {"referenced": 1}
    assert report.tables["users"].kept == {"referenced": 1}
    assert report.freed_bytes is not None
    assert report.freed_bytes > 0


@pytest.mark.parametrize(
    "hold", [("tenant", "default"), ("application", "2"), ("application", "pay")]
)
def test_a_hold_keeps_all_that_it_covers(scene: Database, hold: tuple[str, str]) -> None:
    scope, key = hold
    insert = f"INSERT INTO holds (scope, scope_id, reason) VALUES ('{scope}', '{key}', 'court')"
    condition = "tenant_id = 'default'" if scope == "tenant" else "application_id = 2"
    execute(scene, insert)
    query = f"SELECT id FROM test_runs WHERE {condition} ORDER BY id"
    runs = fetch_rows(scene, query)

    report = cleanup(scene, options())

    assert fetch_rows(scene, query) == runs
    assert report.tables["test_runs"].deleted > 0
    if scope == "tenant":
        log = fetch_rows(scene, "SELECT count(*) FROM audit_logs WHERE table_name = 'x'")
        assert log == [(3,)]
        assert report.tables["audit_logs"].kept == {"hold": 2}
        assert "users" not in deleted(report)


def test_a_tenants_cleanup_leaves_the_others_alone(scene: Database) -> None:
    before = read_all(scene)
    chosen = CleanupOptions(now=NOW, tenant="acme")

    plan, report = plan_cleanup(scene, chosen), cleanup(scene, chosen)

    after = read_all(scene)
    assert plan.tables == report.tables
    assert report.tables["test_runs"].deleted == len(before["test_runs"]) - len(after["test_runs"])
    gone = [row for row in before["test_runs"] if row not in after["test_runs"]]
    assert {row["tenant_id"] for row in gone} == {"acme"}


def test_the_last_runs_of_each_group_stay(scene: Database) -> None:
    chosen = options(days=1, keep_last=2)

    plan, report = plan_cleanup(scene, chosen), cleanup(scene, chosen)

    groups = fetch_rows(
        scene,
        "SELECT count(*), max(id), min(id) FROM test_runs WHERE id > 12"
        " GROUP BY tenant_id, application_id, environment_id ORDER BY 2",
    )
    # 14 is in no hold any more, 39 and 36 are the last of their environment, and so on.
    assert [count for count, *_ in groups] == [2] * 6
    assert plan.tables == report.tables
    assert report.tables["test_runs"].kept["keep_last"] == 12


def test_days_are_for_runs_and_for_what_is_named(scene: Database) -> None:
    everything = plan_cleanup(scene, options(days=1))
    log = plan_cleanup(scene, options(days=710, tables=("audit_logs",)))

    assert everything.tables["audit_logs"].deleted == 2
    assert everything.tables["message_history"].deleted == 2
    assert everything.tables["test_runs"].deleted > 30
    assert list(log.tables) == ["audit_logs"]
    assert cleanup(scene, options(days=600, tables=("audit_logs",))).deleted == 3


def test_configuration_overrides_a_policy_and_an_option_overrides_that(scene: Database) -> None:
    settings = {
        "test_runs": RetentionSetting(300, False, 4, "qadb.toml"),
        "message_history": RetentionSetting(None, True, None, "qadb.toml"),
    }

    plan = plan_cleanup(scene, CleanupOptions(settings=settings, now=NOW))
    both = plan_cleanup(scene, CleanupOptions(Wishes(days=200), settings=settings, now=NOW))

    rules = {each.rule.policy.table: each.rule for each in plan.policies}
    assert (rules["test_runs"].days, rules["test_runs"].keep_last) == (300, 4)
    assert rules["test_runs"].source == "qadb.toml"
    assert rules["message_history"].days is None
    assert "message_history" not in plan.tables
    (runs,) = [each.rule for each in both.policies if each.rule.policy.table == "test_runs"]
    assert (runs.days, runs.keep_last, runs.source) == (200, 4, "option --days")


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"tables": ("test_results",)}, "go with those of test_runs"),
        ({"tables": ("countries",)}, "has no retention policy"),
        ({"tables": ("audit_logs",), "keep_last": 3}, "no last to keep"),
    ],
)
def test_what_has_no_policy_is_refused(
    migrated: Database, wishes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        cleanup(migrated, options(**wishes))


def test_a_place_without_a_database_is_refused(empty: Database) -> None:
    with pytest.raises(EmptyDatabase):
        plan_cleanup(empty)


def test_the_log_and_the_history_tell_of_it(scene: Database) -> None:
    report = cleanup(scene, options())

    query = select(AuditLog.table_name, AuditLog.new_values, AuditLog.user_agent)
    with scene.connect(read_only=True) as connection:
        entries = connection.execute(query.where(AuditLog.record_id == "cleanup")).all()
        user = scene.backend.connector.user_name(connection)
    told: Counter[str] = Counter()
    for _, facts, agent in entries:
        assert facts is not None
        assert (facts["by"], agent) == (user, "qadb cleanup")
        told.update(cast("dict[str, int]", facts["deleted"]))
    assert {table: rows for table, rows in told.items() if rows} == deleted(report)
    assert read_status(scene).last_cleanup is not None


def test_a_cleanup_waits_for_no_other_operation_for_ever(scene: Database) -> None:
    with (
        scene.exclusive(wait_seconds=0, on_wait=lambda _: None),
        pytest.raises(LockNotAvailable, match="Another operation"),
    ):
        cleanup(scene, options(), wait_lock_seconds=0.1)


def test_a_time_limit_ends_it_cleanly_and_the_next_goes_on(scene: Database) -> None:
    plan = plan_cleanup(scene, options())
    limited = CleanupOptions(now=NOW, max_seconds=0.0)

    first = cleanup(scene, limited)
    second = cleanup(scene, options())

    assert (first.complete, first.deleted) == (False, 0)
    assert second.complete
    assert deleted(second) == deleted(plan)


def test_a_fast_cleanup_deletes_the_same(scene: Database) -> None:
    plan = plan_cleanup(scene, options())
    report = cleanup(scene, CleanupOptions(now=NOW, is_fast=True))

    assert report.tables == plan.tables
