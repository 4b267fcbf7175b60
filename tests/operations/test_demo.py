"""init --demo: where it fills, where it finds itself, and where it refuses."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from qadb.demo.companies import DEMO_TENANT
from qadb.errors import DataPresent, InsufficientPrivilege, UnmanagedDatabase
from qadb.models import Note, Role, TestRun, User
from qadb.operations.demo import add_demo, init_demo
from qadb.operations.rollback import plan_rollback, rollback
from qadb.repositories.generic.base import Repository
from qadb.revisions.state import read_state
from tests.operations.foreign import fill_with_foreign_tables
from tests.support.databases import dump, execute, fetch_rows, open_database
from tests.support.postgres_client import execute as execute_as_owner
from tests.support.report_files import case, count_all, load_one, write_report
from tests.support.revisions import BEFORE_HEAD, HEAD
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.progress import ProgressEvent
    from tests.support.postgres_server import PostgresServer

ADD_TENANT = "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')"
ADD_USER = """
INSERT INTO users (username, role_id) SELECT 'root', id FROM roles WHERE name = 'admin'
"""
ADD_ROLE = "INSERT INTO roles (name) VALUES ('auditor')"


def test_demo_fills_an_empty_place_and_counts_what_it_wrote(empty: Database) -> None:
    result = init_demo(empty)

    assert (result.init.from_revision, result.init.to_revision) == (None, HEAD)
    assert (result.demo.added, result.demo.tenants) == (True, ("default", DEMO_TENANT))
    assert (result.demo.seed, result.demo.scale) == (1, 1)
    found = count_all(empty)
    assert result.demo.rows["tenants"] == 1
    reference = {"tenants", "countries", "roles", "permissions", "role_permissions", "test_types"}
    assert {name: found[name] for name in found if name not in reference} == {
        name: rows for name, rows in result.demo.rows.items() if name not in reference
    }


def test_demo_goes_into_a_managed_database_without_data(migrated: Database) -> None:
    execute(migrated, ADD_ROLE)

    result = init_demo(migrated)

    assert (result.init.applied, result.demo.added) == ((), True)
    assert fetch_rows(migrated, "SELECT count(*) FROM roles WHERE name = 'auditor'") == [(1,)]


def test_demo_that_is_there_is_told_of_and_left_as_it_is(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    add_demo(migrated, seed=5, scale=2)
    before = dump(migrated_url, database_server)

    result = init_demo(migrated, seed=6)

    assert (result.demo.added, result.demo.rows) == (False, {})
    assert (result.demo.seed, result.demo.scale) == (5, 2)
    assert dump(migrated_url, database_server) == before


def test_demo_that_lost_its_mark_is_recognised_all_the_same(migrated: Database) -> None:
    add_demo(migrated)
    execute(migrated, "DELETE FROM sync_events", "UPDATE tenants SET name = 'Renamed'")
    before = count_all(migrated)

    result = add_demo(migrated)

    assert (result.added, result.seed, result.scale) == (False, None, None)
    assert count_all(migrated) == before


@pytest.mark.parametrize(
    ("statements", "tables"),
    [
        ([ADD_TENANT], "tenants"),
        ([ADD_USER], "audit_logs, users"),
        ([ADD_USER, "UPDATE users SET deleted_at = created_at"], "audit_logs, users"),
        ([ADD_USER, "DELETE FROM users"], "audit_logs"),
        (["INSERT INTO holds (scope, scope_id, reason) VALUES ('run', '1', 'x')"], "holds"),
    ],
)
def test_demo_refuses_a_database_that_somebody_uses(
    migrated: Database,
    migrated_url: str,
    database_server: PostgresServer | None,
    statements: list[str],
    tables: str,
) -> None:
    execute(migrated, *statements)
    before = dump(migrated_url, database_server)

    for attempt in (init_demo, add_demo):
        with pytest.raises(DataPresent) as caught:
            attempt(migrated)
        assert f"holds data already, in {tables};" in caught.value.message
        assert "--database-url" in (caught.value.hint or "")

    assert dump(migrated_url, database_server) == before


def test_demo_refuses_a_database_with_an_ingested_report(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None, tmp_path: Path
) -> None:
    load_one(migrated, write_report(tmp_path / "r.xml", case("a")))
    before = dump(migrated_url, database_server)

    with pytest.raises(DataPresent, match="applications, audit_logs, ingest_files, test_cases and"):
        init_demo(migrated)

    assert dump(migrated_url, database_server) == before


def test_database_that_is_behind_and_holds_data_is_not_migrated_either(migrated: Database) -> None:
    rollback(migrated, plan_rollback(migrated))
    execute(migrated, ADD_TENANT)

    with pytest.raises(DataPresent):
        init_demo(migrated)

    assert read_state(migrated).revision == BEFORE_HEAD


def test_database_that_is_behind_and_empty_is_migrated_and_filled(migrated: Database) -> None:
    rollback(migrated, plan_rollback(migrated, "001"))

    result = init_demo(migrated)

    assert (result.init.from_revision, result.init.to_revision) == ("001", HEAD)
    assert result.demo.added


def test_demo_leaves_a_foreign_database_alone(
    empty: Database, database_url: str, database_server: PostgresServer | None
) -> None:
    fill_with_foreign_tables(empty)
    before = dump(database_url, database_server)

    for attempt in (init_demo, add_demo):
        with pytest.raises(UnmanagedDatabase):
            attempt(empty)

    assert dump(database_url, database_server) == before


def test_rows_added_later_get_ids_above_those_of_the_demo(
    migrated: Database, tmp_path: Path
) -> None:
    add_demo(migrated)
    (highest,) = fetch_rows(migrated, "SELECT max(id) FROM test_runs")[0]

    file = load_one(migrated, write_report(tmp_path / "r.xml", case("a")))
    with migrated.session() as session:
        users = Repository(session, User)
        user = users.create(username="newcomer")
        notes = Repository(session, Note)
        note = notes.create(user_id=user.id, title="First")

    assert (file.status, file.run_id) == ("ingested", int(str(highest)) + 1)
    assert (user.id, note.id) == (9, 11)


def test_ids_that_somebody_drew_in_vain_are_left_to_them(migrated: Database) -> None:
    execute(
        migrated,
        "INSERT INTO applications (code, name) VALUES ('a', 'a')",
        "INSERT INTO test_runs (run_key, application_id) SELECT 'r', id FROM applications",
        "DELETE FROM test_runs",
    )
    with pytest.raises(DataPresent):
        add_demo(migrated)
    with migrated.connect() as connection:  # the log would be in the way; the ids are what counts
        forget_the_log(migrated, connection)
        connection.exec_driver_sql("DELETE FROM applications")
        forget_the_log(migrated, connection)

    add_demo(migrated)

    assert fetch_rows(migrated, "SELECT min(id), max(id) FROM test_runs") == [(2, 200)]
    assert fetch_rows(migrated, "SELECT count(*) FROM applications") == [(3,)]


def forget_the_log(database: Database, connection: Connection) -> None:
    """What the owner's cleanup may do."""
    allow = {
        "sqlite": "INSERT OR REPLACE INTO audit_context (id, is_cleanup) VALUES (1, 1)",
        "postgresql": "SELECT set_config('qadb.audit_cleanup', 'on', true)",
    }[database.backend.name]
    connection.exec_driver_sql(allow)
    connection.exec_driver_sql("DELETE FROM audit_logs")
    database.backend.context.clear_context(connection)


def init_demo_failing_late(database: Database) -> None:
    """Everything is written but for the last batch, and rolled back."""

    def fail_at_the_end(event: ProgressEvent) -> None:
        if event.total is not None and event.done >= event.total // 2 and event.unit == "rows":
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        init_demo(database, progress=fail_at_the_end)


def test_failure_half_way_leaves_nothing_and_the_next_run_works(empty: Database) -> None:
    init_demo_failing_late(empty)
    written = count_all(empty)

    assert (written["tenants"], written["users"], written["test_results"]) == (1, 0, 0)
    assert add_demo(empty).added


def test_progress_grows_to_the_number_of_results(migrated: Database) -> None:
    events: list[ProgressEvent] = []

    def note(event: ProgressEvent) -> None:
        events.append(event)

    add_demo(migrated, scale=2, progress=note)

    assert {(event.label, event.unit) for event in events} == {("demo data", "rows")}
    done = [event.done for event in events]
    (total,) = {event.total for event in events}
    assert done == sorted(done)
    assert len(done) >= 4
    assert total is not None
    finals = fetch_rows(migrated, "SELECT count(*) FROM test_results WHERE is_final")
    assert [(total,)] == finals
    assert done[-1] == total


def test_demo_takes_no_moment_without_zone_and_no_scale_below_one(migrated: Database) -> None:
    before = count_all(migrated)

    with pytest.raises(ValueError, match="time zone"):
        add_demo(migrated, now=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="scale"):
        add_demo(migrated, scale=0)

    assert count_all(migrated) == before


def test_demo_lets_tenants_see_their_own_rows_only(migrated: Database) -> None:
    add_demo(migrated)
    seen = {}
    for tenant in ("default", DEMO_TENANT):
        with migrated.session(tenant=tenant, read_only=True) as session:
            seen[tenant] = set(session.scalars(select(TestRun.run_key)))
            assert session.scalars(select(Role.name)).first() is not None

    assert len(seen["default"]) + len(seen[DEMO_TENANT]) == 199
    assert not seen["default"] & seen[DEMO_TENANT]


def test_ordinary_role_is_told_who_may(postgresql_url: str) -> None:
    with open_database(postgresql_url) as database:
        init_demo_failing_late(database)
        before = count_all(database)
    with ordinary_role(postgresql_url) as role:
        execute_as_owner(postgresql_url, "GRANT USAGE ON SCHEMA public TO {}", role.name)
        rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}"
        execute_as_owner(postgresql_url, rights, role.name)
        with (
            open_database(role.url(postgresql_url)) as database,
            pytest.raises(InsufficientPrivilege) as caught,
        ):
            init_demo(database)

    assert caught.value.hint == "The demo fills several tenants: use the role that owns the tables."
    with open_database(postgresql_url) as database:
        assert count_all(database) == before


def test_owner_who_is_no_superuser_may(postgresql_url: str) -> None:
    with ordinary_role(postgresql_url) as role:
        execute_as_owner(postgresql_url, "GRANT CREATE, USAGE ON SCHEMA public TO {}", role.name)
        with open_database(role.url(postgresql_url)) as database:
            assert init_demo(database).demo.added


@pytest.mark.postgresql
def test_tables_of_others_in_the_same_database_are_none_of_its_business(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qadb.operations.demo.WAIT_WRITERS_SECONDS", 2.0)
    with open_database(postgresql_url) as database, open_database(postgresql_url) as other:
        execute(other, "CREATE SCHEMA theirs", "CREATE TABLE theirs.rows (id int)")
        with other.connect() as connection:
            connection.exec_driver_sql("LOCK TABLE theirs.rows IN ACCESS EXCLUSIVE MODE")
            assert init_demo(database).demo.added

        known = "SELECT DISTINCT schemaname FROM pg_stats WHERE schemaname IN ('public', 'theirs')"
        assert fetch_rows(database, known) == [("public",)]
