"""migrate --sql: the script really runs, and makes what a migration makes."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from shutil import which
from typing import TYPE_CHECKING

import pytest

from qadb.backends.catalog import diff
from qadb.errors import MigrationFailed, UnmanagedDatabase
from qadb.operations.migrate import render_migration
from qadb.operations.rollback import plan_rollback, rollback
from qadb.revisions.catalogue import BASE
from qadb.revisions.state import read_state
from tests.operations.foreign import fill_with_foreign_tables
from tests.support.databases import live_catalog, open_database, sqlite_file
from tests.support.revision_folders import schema_of, write_revision
from tests.support.revisions import BEFORE_HEAD, HEAD, REVISIONS

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer


def run_script(script: str, url: str, server: PostgresServer | None, *options: str) -> None:
    """Run it by hand, as an administrator would; the options are psql's."""
    if server is not None:
        psql = str(server.program("psql"))
        command = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, "-d", url]
    elif shell := which("sqlite3"):
        command = [shell, "-bail", str(sqlite_file(url))]
    else:
        with closing(sqlite3.connect(sqlite_file(url))) as connection:
            connection.executescript(script)
        return
    done = subprocess.run(command, input=script, check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_script_makes_an_equal_database(
    empty: Database,
    database_url: str,
    migrated: Database,
    database_server: PostgresServer | None,
) -> None:
    plan, script = render_migration(empty)
    run_script(script, database_url, database_server, "-1")

    assert plan.to_revision == HEAD
    assert diff(live_catalog(migrated), live_catalog(empty)) == ()
    assert read_state(empty).state == "current"


def test_scripts_lead_from_each_revision_to_the_next(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    expected = live_catalog(migrated)
    rollback(migrated, plan_rollback(migrated, BASE))
    for revision in REVISIONS:
        plan, script = render_migration(migrated, revision)
        run_script(script, migrated_url, database_server, "-1")

        assert plan.to_revision == revision == read_state(migrated).revision
    assert diff(expected, live_catalog(migrated)) == ()


@pytest.mark.parametrize("start", ["001", BEFORE_HEAD])
def test_script_leads_from_a_revision_to_the_newest(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None, start: str
) -> None:
    expected = live_catalog(migrated)
    rollback(migrated, plan_rollback(migrated, start))
    run_script(render_migration(migrated)[1], migrated_url, database_server, "-1")

    assert diff(expected, live_catalog(migrated)) == ()
    assert read_state(migrated).state == "current"


@pytest.mark.parametrize("options", [(), ("-1",)])
def test_script_with_a_block_of_no_transaction_runs(
    postgresql_url: str, postgresql_server: PostgresServer, folder: Path, options: tuple[str, ...]
) -> None:
    block = """\
        with op.get_context().autocommit_block():
            op.create_index("i", "parent", ["name"], postgresql_concurrently=True)
        """
    write_revision(folder, "001", None, up='op.execute("CREATE TABLE parent (name text)")')
    write_revision(folder, "002", "001", up=block)
    with open_database(postgresql_url, schema_of(folder)) as database:
        run_script(render_migration(database)[1], postgresql_url, postgresql_server, *options)

        assert read_state(database).state == "current"
        assert "index i" in live_catalog(database).objects


def test_script_that_fails_leaves_a_revision_boundary(
    database_url: str, database_server: PostgresServer | None, folder: Path
) -> None:
    write_revision(folder, "001", None, up='op.execute("CREATE TABLE parent (name text)")')
    with open_database(database_url, schema_of(folder)) as database:
        run_script(render_migration(database)[1], database_url, database_server)
        failing = 'op.execute("CREATE TABLE more (id INTEGER)")\nop.execute("SELECT nothing")'
        write_revision(folder, "002", "001", up=failing)
        with pytest.raises((AssertionError, sqlite3.Error), match="nothing"):
            run_script(render_migration(database)[1], database_url, database_server, "-1")

        assert read_state(database).revision == "001"
        assert "table more" not in live_catalog(database).objects


def test_script_brings_the_reference_data(
    empty: Database,
    database_url: str,
    migrated: Database,
    database_server: PostgresServer | None,
) -> None:
    query = "SELECT code, name FROM countries UNION ALL SELECT code, name FROM test_types"
    query += " UNION ALL SELECT name, description FROM roles ORDER BY 1, 2"
    run_script(render_migration(empty)[1], database_url, database_server)

    found = []
    for database in (migrated, empty):
        with database.connect(read_only=True) as connection:
            found.append(connection.exec_driver_sql(query).all())

    assert found[0] == found[1]
    assert len(found[0]) > 250


def test_rendering_writes_nothing(sqlite_url: str) -> None:
    with open_database(sqlite_url) as database:
        plan, script = render_migration(database)

    assert plan.dry_run
    assert "CREATE TABLE" in script
    assert not sqlite_file(sqlite_url).exists()


def test_script_stops_at_the_target(migrated: Database) -> None:
    rollback(migrated, plan_rollback(migrated, "001"))

    plan, script = render_migration(migrated, "002")

    assert plan.to_revision == "002"
    assert "'002'" in script
    assert "test_results" not in script


def test_nothing_pending_is_an_empty_script(migrated: Database) -> None:
    assert render_migration(migrated)[1] == ""


def test_script_for_a_foreign_database_is_refused(empty: Database) -> None:
    fill_with_foreign_tables(empty)

    with pytest.raises(UnmanagedDatabase):
        render_migration(empty)


def test_revision_that_must_look_at_the_database_is_a_clear_failure(
    sqlite_url: str, folder: Path
) -> None:
    code = 'with op.batch_alter_table("parent") as batch:\n    batch.drop_column("name")'
    write_revision(folder, "001", None, up=code)

    with (
        open_database(sqlite_url, schema_of(folder)) as database,
        pytest.raises(MigrationFailed) as caught,
    ):
        render_migration(database)

    assert caught.value.hint == "Run them with: qadb migrate"
