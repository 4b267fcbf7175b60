"""Taking over a database whose tables were not made by revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.errors import ExitCode
from qadb.models import schema
from qadb.operations.adopt import adopt_database
from qadb.operations.init import init_database
from qadb.operations.rollback import plan_rollback, rollback
from qadb.operations.status import read_status
from qadb.revisions.history import read_history
from tests.operations.foreign import fill_with_foreign_tables
from tests.support.databases import dump, execute, fetch_rows
from tests.support.program import ProgramInside
from tests.support.revisions import HEAD

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer

FORGET = ("DROP TABLE qadb_version", "DROP TABLE qadb_history")


@pytest.fixture
def made_by_models(empty: Database) -> Database:
    """Tables from the models, without history, mark or reference rows."""
    empty.create()
    with empty.connect() as connection:
        schema.metadata.create_all(connection)
    return empty


def test_database_that_the_models_made_is_taken_over_with_its_reference_rows(
    made_by_models: Database,
) -> None:
    result = adopt_database(made_by_models)

    assert (result.adopted, result.revision, result.differences) == (True, HEAD, ())
    assert result.reference_rows > 300
    status = read_status(made_by_models, with_drift=True)
    assert status.is_well
    with made_by_models.connect(read_only=True) as connection:
        (entry,) = read_history(connection, made_by_models)
    assert (entry.operation, entry.revision, entry.direction) == ("adopt", HEAD, "up")
    assert entry.is_edited is False
    execute(made_by_models, "INSERT INTO roles (name) VALUES ('guest')")
    assert fetch_rows(made_by_models, "SELECT count(DISTINCT id) FROM roles") == [(5,)]


def test_rows_that_are_there_are_left_alone(made_by_models: Database) -> None:
    execute(made_by_models, "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")

    result = adopt_database(made_by_models)

    assert (result.adopted, result.reference_rows) == (True, 0)
    assert fetch_rows(made_by_models, "SELECT id FROM tenants") == [("acme",)]


@pytest.mark.parametrize("stop", ["003", "008"])
def test_tables_of_an_earlier_revision_are_recognised_and_migrated_on(
    migrated: Database, stop: str
) -> None:
    rollback(migrated, plan_rollback(migrated, stop))
    execute(migrated, *FORGET)

    assert adopt_database(migrated).revision == stop

    assert init_database(migrated).from_revision == stop
    assert read_status(migrated, with_drift=True).is_well


def test_tables_that_are_no_revisions_are_refused_with_what_differs(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    execute(
        migrated,
        *FORGET,
        "DROP INDEX idx_test_results_test_case_id_run_id",
        "CREATE TABLE more (id INTEGER)",
    )
    before = dump(migrated_url, database_server)

    result = adopt_database(migrated)

    assert (result.adopted, result.revision) == (False, HEAD)
    assert [difference.object for difference in result.differences] == [
        "index idx_test_results_test_case_id_run_id",
        "table more",
    ]
    assert dump(migrated_url, database_server) == before


def test_another_applications_database_is_refused(empty: Database) -> None:
    fill_with_foreign_tables(empty)

    result = adopt_database(empty)

    assert not result.adopted
    assert "table alembic_version" in [difference.object for difference in result.differences]
    assert read_status(empty).database.state == "unmanaged"


def test_what_is_not_there_yet_is_made_as_by_init(database_url: str, tmp_path: Path) -> None:
    url = database_url.replace("qa.sqlite3", "not/there/qa.sqlite3")
    qadb = ProgramInside(tmp_path, {"QADB_DATABASE_URL": url})

    ended = qadb("init", "--adopt", "--json")

    assert (ended.exit_code, ended.document["to"]) == (ExitCode.OK, HEAD)
    assert ended.document["adopted"] is False


def test_database_with_a_history_keeps_it(migrated: Database) -> None:
    before = fetch_rows(migrated, "SELECT * FROM qadb_history")

    assert not adopt_database(migrated).adopted

    assert fetch_rows(migrated, "SELECT * FROM qadb_history") == before


def test_command_takes_over_or_lists_the_differences(
    made_by_models: Database, database_url: str, tmp_path: Path
) -> None:
    qadb = ProgramInside(tmp_path, {"QADB_DATABASE_URL": database_url})
    execute(made_by_models, "CREATE TABLE more (id INTEGER)")

    refused = qadb("init", "--adopt")
    refused_json = qadb("init", "--adopt", "--json")

    assert refused.exit_code == refused_json.exit_code == ExitCode.CHECK_FAILED
    assert "table more" in refused.stdout
    assert "was not taken over" in refused.stdout
    document = refused_json.document
    assert (document["adopted"], document["nearest"]) == (False, HEAD)
    assert [each["line"] for each in document["differences"]] == ["table more: unexpected"]

    execute(made_by_models, "DROP TABLE more")
    taken = qadb("init", "--adopt")

    assert taken.exit_code == ExitCode.OK
    assert f"at revision {HEAD}; " in taken.stdout
    assert "reference rows written" in taken.stdout
    assert qadb("status", "--check", "--drift").exit_code == ExitCode.OK
    assert qadb("init", "--adopt", "--demo").exit_code == ExitCode.USAGE
