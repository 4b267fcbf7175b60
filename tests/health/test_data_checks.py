"""The checks of the data: a database that fails each, and one that just passes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from qadb.models import Application, Event, Hold, Note, User
from qadb.operations.health import HealthOptions, check_health
from qadb.settings.retention import RetentionSetting
from tests.health.asking import ask
from tests.models.rows import make_result, make_run
from tests.support.databases import execute, sqlite_file

if TYPE_CHECKING:
    from qadb.database import Database

NOW = datetime.now(UTC)
HISTORY = """
INSERT INTO qadb_history (revision, direction, applied_at, elapsed_seconds, user_name,
                          qadb_version, operation)
VALUES ('', '', '{}', 1, 'ada', '0.1', '{}')
"""


def add_run(database: Database, **values: object) -> int:
    """A finished run with one result that failed, and totals that say so."""
    run = make_run(**{"status": "completed", "total": 1, "failed": 1, **values})
    with database.session(all_tenants=True) as session:
        session.add(run)
        session.add(make_result(run=run))
        session.flush()
        return int(run.id)


def test_a_whole_file_passes(file: Database) -> None:
    assert ask(file, "QADB-D01").status == "ok"
    assert ask(file, "QADB-D02").status == "ok"
    assert ask(file, "QADB-D03").status == "ok"


def test_a_row_without_its_parent_is_critical(file: Database, file_url: str) -> None:
    with closing(sqlite3.connect(sqlite_file(file_url))) as connection:
        connection.execute(
            "INSERT INTO features (tenant_id, product_id, title) VALUES ('default', 7, 'x')"
        )
        connection.commit()

    result = ask(file, "QADB-D02")

    assert (result.status, result.value) == ("crit", 1)
    assert result.details == (
        "1 of features point at rows of products that are not there, the first is row 1",
    )


def test_totals_that_add_up_pass(migrated: Database) -> None:
    add_run(migrated)

    assert ask(migrated, "QADB-D10").status == "ok"


@pytest.mark.parametrize("values", [{"total": 2, "passed": 1}, {"passed": 1, "failed": 0}])
def test_totals_that_differ_from_the_results_are_a_warning(
    migrated: Database, values: dict[str, int]
) -> None:
    run = add_run(migrated, **values)

    result = ask(migrated, "QADB-D10")

    assert (result.status, result.value) == ("warn", 1)
    assert result.details[0].startswith(f"run {run}: ")


def test_a_run_whose_results_are_still_coming_is_not_judged(migrated: Database) -> None:
    add_run(migrated, status="running", total=0, failed=0)

    assert ask(migrated, "QADB-D10").status == "ok"


@pytest.mark.parametrize(("hours", "status"), [(23, "ok"), (25, "warn")])
def test_a_run_that_runs_for_over_a_day_is_stuck(
    migrated: Database, hours: int, status: str
) -> None:
    add_run(migrated, status="running", started_at=NOW - timedelta(hours=hours))

    assert ask(migrated, "QADB-D11").status == status


@pytest.mark.parametrize("name", ["QADB-D12", "QADB-D13"])
def test_results_of_a_run_that_is_not_there_are_critical(migrated: Database, name: str) -> None:
    run = add_run(migrated)
    assert ask(migrated, name).status == "ok"
    drop_run_behind_the_keys(migrated, run)

    result = ask(migrated, name)

    assert (result.status, result.value) == ("crit", 1)
    assert result.details == (f"run {run} has results and is not there",)


def drop_run_behind_the_keys(database: Database, run: int) -> None:
    """As software does that switches the keys off."""
    if database.url.path is None:
        execute(
            database,
            "SET LOCAL session_replication_role = replica",
            f"DELETE FROM test_runs WHERE id = {run}",
        )
        return
    with closing(sqlite3.connect(database.url.path)) as connection:
        connection.execute("DELETE FROM test_runs WHERE id = ?", (run,))
        connection.commit()


@pytest.mark.parametrize(("minutes", "status"), [(50, "ok"), (70, "warn")])
def test_a_run_dated_later_than_now_is_a_warning(
    migrated: Database, minutes: int, status: str
) -> None:
    add_run(migrated, started_at=datetime.now(UTC) + timedelta(minutes=minutes))

    assert ask(migrated, "QADB-D14").status == status


@pytest.mark.parametrize(("days", "status"), [(2.9, "ok"), (3.1, "warn")])
def test_runs_that_stop_arriving_are_a_warning(
    migrated: Database, days: float, status: str
) -> None:
    arrive(migrated, [days + number for number in range(7)])

    assert ask(migrated, "QADB-D15").status == status


def test_a_few_runs_tell_nothing_of_what_is_usual(migrated: Database) -> None:
    arrive(migrated, [100.0, 101.0, 102.0])

    assert ask(migrated, "QADB-D15").status == "ok"


def arrive(database: Database, days_ago: list[float]) -> None:
    """Runs that arrived then, the newest last."""
    now = datetime.now(UTC)
    with database.session(all_tenants=True) as session:
        application = Application(code="shop", name="Shop")
        for number, days in enumerate(sorted(days_ago, reverse=True)):
            moment = now - timedelta(days=days)
            run = make_run(run_key=str(number), application=application, created_at=moment)
            session.add(run)
            session.flush()


@pytest.mark.parametrize(("days", "status"), [(36, "ok"), (38, "warn")])
def test_deleted_rows_that_nobody_removes_are_a_warning(
    migrated: Database, days: int, status: str
) -> None:
    user = User(username="ada", full_name="Ada", first_name="A", last_name="L", role_id=1)
    gone = NOW - timedelta(days=days)
    with migrated.session(all_tenants=True) as session:
        session.add(user)
        session.add(Note(user=user, title="n", content="c", deleted_at=gone))
        session.add(Event(user=user, title="e", starts_at=NOW, ends_at=NOW, deleted_at=gone))

    result = ask(migrated, "QADB-D16")

    assert result.status == status
    assert result.value == (2 if status == "warn" else 0)


@pytest.mark.parametrize(("days", "status"), [(186, "ok"), (188, "warn")])
def test_only_runs_that_nothing_keeps_are_overdue(
    migrated: Database, days: int, status: str
) -> None:
    old = NOW - timedelta(days=days)
    shop = Application(code="shop", name="Shop")
    with migrated.session() as session:
        session.add(make_run(run_key="old", started_at=old, application=shop))
        session.add(make_run(run_key="kept", started_at=old, application=shop, is_protected=True))

    result = ask(migrated, "QADB-D16")

    assert result.status == status
    assert result.value == (1 if status == "warn" else 0)


def test_what_a_row_refers_to_or_a_hold_keeps_is_not_overdue(migrated: Database) -> None:
    old = NOW - timedelta(days=400)
    gone = Application(code="gone", name="Gone", deleted_at=old)
    with migrated.session() as session:
        session.add(gone)
        session.add(make_run(run_key="new", application=gone))
        session.add(make_run(run_key="old", started_at=old))
        session.add(Hold(scope="run", scope_id="old", reason="a lawsuit"))

    assert ask(migrated, "QADB-D16").value == 0


def test_days_that_the_configuration_sets_are_obeyed(migrated: Database) -> None:
    add_run(migrated, started_at=NOW - timedelta(days=400))
    for_ever = RetentionSetting(None, is_for_ever=True, keep_last=None, source="qadb.toml")
    options = HealthOptions(only=("D16",), retention={"test_runs": for_ever})

    (result,) = check_health(migrated, options).results

    assert result.status == "ok"


@pytest.mark.parametrize(("days", "status"), [(20, "ok"), (22, "warn")])
def test_a_cleanup_that_no_longer_comes_is_a_warning(
    migrated: Database, days: int, status: str
) -> None:
    for ago in (days, days + 7, days + 14):
        moment = (NOW - timedelta(days=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        execute(migrated, HISTORY.format(moment, "cleanup").replace(":", "\\:"))

    assert ask(migrated, "QADB-D04").status == status


def test_where_nobody_cleans_up_there_is_no_habit(migrated: Database) -> None:
    assert ask(migrated, "QADB-D04").status == "ok"
