"""Running checks: cheap first, each by itself, and nothing stops the others or does any harm."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest
from sqlalchemy import text

from qadb.checks import Check, Finding, some_or_none
from qadb.errors import DatabaseAbsent, DatabaseUnreachable
from qadb.health.catalogue import all_checks
from qadb.health.results import overall
from qadb.health.runner import Selected, run_checks
from qadb.operations.health import HealthOptions, check_health
from tests.support.databases import execute, open_database
from tests.support.postgres_client import execute as execute_on_server
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qadb.checks import Cost
    from qadb.database import Database
    from qadb.health.context import Context, HealthCheck
    from qadb.health.results import CheckResult

SLOW = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)"
    " SELECT count(*) FROM n"
)


def make_check(
    number: int, probe: Callable[[Context], Finding], *, cost: Cost = "cheap"
) -> HealthCheck:
    return Check(
        id=f"QADB-X{number:02}",
        title="Test",
        group="data",
        severity="crit",
        limits=some_or_none(),
        cost=cost,
        why="To see.",
        remedy="Nothing.",
        probe=probe,
    )


def run(
    database: Database, *checks: HealthCheck, budget_seconds: float | None = None
) -> list[CheckResult]:
    selection = [Selected(check) for check in checks]
    found = run_checks(database, selection, budget_seconds=budget_seconds, backup_dir=None)
    return list(found)


def passes(context: Context) -> Finding:
    context.connection.execute(text("SELECT 1"))
    return Finding("ok", "It passed.")


def fails(context: Context) -> Finding:
    context.connection.execute(text("SELECT 1 FROM nowhere"))
    return Finding("ok", "It passed.")


def is_wrong(context: Context) -> Finding:
    raise ZeroDivisionError("a mistake of its own")


def writes(context: Context) -> Finding:
    context.connection.execute(text("DELETE FROM countries"))
    return Finding("ok", "It wrote.")


def is_slow(context: Context) -> Finding:
    context.connection.execute(text(SLOW))
    return Finding("ok", "It took long.")


def test_a_failing_check_stops_no_other(migrated: Database) -> None:
    results = run(migrated, make_check(1, fails), make_check(2, is_wrong), make_check(3, passes))

    assert [result.status for result in results] == ["unknown", "unknown", "ok"]
    assert "nowhere" in results[0].message
    assert "ZeroDivisionError: a mistake of its own" in results[1].message


def test_a_check_can_write_nothing(migrated: Database) -> None:
    (result,) = run(migrated, make_check(1, writes))

    assert result.status == "unknown"
    assert "opened for reading" in result.message


def test_cheap_checks_run_first_and_answers_come_in_the_catalogues_order(
    migrated: Database,
) -> None:
    order: list[str] = []

    def note(name: str) -> Callable[[Context], Finding]:
        def probe(_: Context) -> Finding:
            order.append(name)
            return Finding("ok", name)

        return probe

    results = run(
        migrated,
        make_check(1, note("costly"), cost="costly"),
        make_check(2, note("moderate"), cost="moderate"),
        make_check(3, note("cheap")),
    )

    assert order == ["cheap", "moderate", "costly"]
    assert [result.message for result in results] == ["costly", "moderate", "cheap"]


def test_what_the_budget_leaves_no_time_for_is_not_run(migrated: Database) -> None:
    results = run(
        migrated,
        make_check(1, passes, cost="costly"),
        make_check(2, is_slow),
        budget_seconds=0.3,
    )

    assert [result.status for result in results] == ["not_run", "not_run"]
    assert "used up before its turn" in results[0].message
    assert "stopped after" in results[1].message
    assert overall(results) == "unknown"


def test_a_stopped_check_leaves_the_connection_fit_for_the_next(migrated: Database) -> None:
    run(migrated, make_check(1, is_slow), budget_seconds=0.2)

    assert run(migrated, make_check(2, passes))[0].status == "ok"
    execute(migrated, "UPDATE qadb_version SET version_num = version_num")


def test_a_locked_table_is_not_waited_for(on_server: Database, server_url: str) -> None:
    def reads(context: Context) -> Finding:
        context.connection.execute(text("SELECT count(*) FROM bugs"))
        return Finding("ok", "It was free.")

    with closing(psycopg2.connect(server_url)) as other:
        other.cursor().execute("LOCK TABLE bugs IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        results = run(on_server, make_check(1, reads), make_check(2, passes))

    assert [result.status for result in results] == ["unknown", "ok"]
    assert time.monotonic() - started < 10


def test_a_file_that_somebody_writes_alone_is_not_waited_for(file: Database, file_url: str) -> None:
    path = file.url.path
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        results: list[CheckResult] = []
        assert run(file, make_check(1, passes))[0].status == "ok"  # its connection stays
        other.execute("BEGIN EXCLUSIVE")

        def reads(context: Context) -> Finding:
            context.connection.execute(text("SELECT count(*) FROM bugs"))
            return Finding("ok", "It was free.")

        results = run(file, make_check(2, reads))

    assert [result.status for result in results] == ["unknown"]
    assert "locked" in results[0].message


def test_a_servers_session_has_limits_and_reads_only(on_server: Database) -> None:
    names: list[str] = []

    def reads(context: Context) -> Finding:
        settings = ("lock_timeout", "transaction_read_only", "statement_timeout")
        names.extend(
            context.connection.execute(text(f"SHOW {setting}")).scalar_one() for setting in settings
        )
        return Finding("ok", "It told.")

    run(on_server, make_check(1, reads), budget_seconds=5)

    assert names[:2] == ["500ms", "on"]
    assert names[2] != "0"


def test_a_connection_that_is_ended_costs_one_check(on_server: Database, server_url: str) -> None:
    def is_ended(context: Context) -> Finding:
        pid = context.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        execute_on_server(server_url, f"SELECT pg_terminate_backend({pid})")
        return passes(context)

    results = run(on_server, make_check(1, is_ended), make_check(2, passes))

    assert [result.status for result in results] == ["unknown", "ok"]


def test_a_server_that_is_gone_is_unreachable_and_not_asked_again(
    on_server: Database, server_url: str
) -> None:
    """Told by a database that takes no connections any more: the server is others', too."""
    name = on_server.url.database
    maintenance = server_url.rpartition("/")[0] + "/postgres"

    def is_gone(context: Context) -> Finding:
        pid = context.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        execute_on_server(maintenance, f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        execute_on_server(maintenance, f"SELECT pg_terminate_backend({pid})")
        return passes(context)

    asked: list[str] = []

    def remembers(context: Context) -> Finding:
        asked.append("again")
        return passes(context)

    with pytest.raises(DatabaseUnreachable):
        run(on_server, make_check(1, passes), make_check(2, is_gone), make_check(3, remembers))

    assert asked == []


def test_a_role_without_rights_gets_unknown_and_the_grant(
    on_server: Database, server_url: str
) -> None:
    with ordinary_role(server_url) as role:
        with open_database(role.url(server_url)) as database:
            report = check_health(database, HealthOptions(budget_seconds=None))
        by_id = {result.check.id: result for result in report.results}

        data = [by_id[f"QADB-D{number}"] for number in (10, 11, 12, 14, 15, 16)]
        assert {result.status for result in data} == {"unknown"}
        assert all(f'"{role.name}"' in (r.hint or "") or role.name in (r.hint or "") for r in data)
        assert {result.status for result in report.results} <= {"ok", "unknown", "warn", "crit"}
        for result in report.results:
            assert "The check itself failed" not in result.message


def test_a_role_that_is_confined_to_a_tenant_is_not_told_ok(
    on_server: Database, server_url: str
) -> None:
    with ordinary_role(server_url) as role:
        execute_on_server(
            server_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role.name
        )
        with open_database(role.url(server_url)) as database:
            report = check_health(database, HealthOptions(only=("D11", "D10", "D16")))

        assert {result.status for result in report.results} == {"unknown"}
        assert all("BYPASSRLS" in (result.hint or "") for result in report.results)


def test_an_absent_file_is_unreachable_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite3"
    with open_database(f"sqlite:///{path}") as database, pytest.raises(DatabaseAbsent):
        check_health(database, HealthOptions())

    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_unreachable() -> None:
    with (
        open_database("postgresql://qa@127.0.0.1:1/qadb") as database,
        pytest.raises(DatabaseUnreachable),
    ):
        check_health(database, HealthOptions())


def test_checking_changes_no_byte_of_a_file(file: Database) -> None:
    path = file.url.path
    assert path is not None
    before = path.read_bytes()
    names = sorted(each.name for each in path.parent.iterdir())

    check_health(file, HealthOptions(deep=True, budget_seconds=None))
    file.close()

    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == names


def test_a_database_as_it_is_made_passes_every_check_with_limits_of_the_schema(
    migrated: Database, tmp_path: Path
) -> None:
    options = HealthOptions(
        only=("schema", "data", "backups"),
        skip=("QADB-S02",),  # the calendar's, not the database's
        budget_seconds=None,
        backup_dir=tmp_path / "backups",
    )

    report = check_health(migrated, options)

    bad = [r for r in report.results if r.status not in {"ok", "skipped"}]
    assert bad == []
    assert {check.id for check in all_checks(migrated.schema)} >= {
        result.check.id for result in report.results
    }


def test_costly_checks_run_two_at_a_time(migrated: Database) -> None:
    both = threading.Barrier(2, timeout=20)

    def meets(_: Context) -> Finding:
        both.wait()
        return Finding("ok", "They met.")

    results = run(
        migrated, make_check(1, meets, cost="costly"), make_check(2, meets, cost="costly")
    )

    assert [result.status for result in results] == ["ok", "ok"]


def test_an_interrupted_run_ends_what_runs(file: Database) -> None:
    def is_interrupted(_: Context) -> Finding:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(
            file,
            make_check(1, is_interrupted, cost="costly"),
            make_check(2, is_slow, cost="costly"),
        )

    assert time.monotonic() - started < 15  # it would take some twenty seconds


def test_a_database_in_memory_is_asked_with_its_one_connection() -> None:
    with open_database("sqlite:///:memory:") as database:
        results = run(
            database, make_check(1, passes, cost="costly"), make_check(2, passes, cost="costly")
        )

    assert [result.status for result in results] == ["ok", "ok"]
