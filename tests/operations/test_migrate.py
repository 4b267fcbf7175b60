"""migrate: from every revision to the next and to the newest, and what stands in its way."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from qadb.errors import (
    EmptyDatabase,
    ExitCode,
    RevisionMismatch,
    RevisionNotFound,
    UnmanagedDatabase,
)
from qadb.operations.migrate import migrate, plan_migration
from qadb.operations.rollback import plan_rollback, rollback
from qadb.revisions.catalogue import BASE
from qadb.revisions.state import read_state
from tests.operations.foreign import fill_with_foreign_tables, stand_at
from tests.support.databases import dump, execute
from tests.support.revisions import AFTER_HEAD, HEAD, REVISIONS, STOPS

if TYPE_CHECKING:
    from qadb.database import Database
    from qadb.progress import ProgressEvent
    from tests.support.postgres_server import PostgresServer


def take_back(database: Database, target: str) -> None:
    rollback(database, plan_rollback(database, target))


def require_migrates(database: Database, start: str, target: str) -> None:
    """It goes from where the database stands, and says which way."""
    result = migrate(database, target)

    assert result.from_revision == (None if start == BASE else start)
    assert result.to_revision == target == read_state(database).revision
    expected = STOPS[STOPS.index(start) + 1 : STOPS.index(target) + 1]
    assert [step.revision for step in result.applied] == [*expected]
    assert not result.dry_run


def test_migrate_goes_from_every_revision_to_the_next(migrated: Database) -> None:
    take_back(migrated, BASE)
    for start, target in pairwise(STOPS):
        require_migrates(migrated, start, target)


@pytest.mark.parametrize("start", STOPS[:-1:3])
def test_migrate_goes_from_any_revision_to_the_newest(migrated: Database, start: str) -> None:
    take_back(migrated, start)
    require_migrates(migrated, start, HEAD)


def test_migrate_with_nothing_pending_changes_nothing(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    before = dump(migrated_url, database_server)

    result = migrate(migrated)

    assert (result.from_revision, result.to_revision, result.applied) == (HEAD, HEAD, ())
    assert dump(migrated_url, database_server) == before


def test_migrate_to_an_earlier_revision_names_the_way_back(migrated: Database) -> None:
    with pytest.raises(RevisionMismatch) as caught:
        migrate(migrated, "1")

    assert caught.value.hint == "Go back with: qadb rollback 001"
    assert read_state(migrated).revision == HEAD


def test_migrate_to_an_unknown_revision_is_wrong_usage(migrated: Database) -> None:
    with pytest.raises(RevisionNotFound) as caught:
        migrate(migrated, "042")

    assert caught.value.exit_code == ExitCode.USAGE


def test_dry_run_tells_the_plan_and_writes_nothing(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    take_back(migrated, "001")
    before = dump(migrated_url, database_server)

    plan = plan_migration(migrated)

    assert plan.dry_run
    assert (plan.from_revision, plan.to_revision) == ("001", HEAD)
    assert [(step.revision, step.elapsed_seconds) for step in plan.applied] == [
        (revision, 0.0) for revision in REVISIONS[1:]
    ]
    assert dump(migrated_url, database_server) == before


def test_migrate_reports_each_revision_as_progress(migrated: Database) -> None:
    take_back(migrated, "001")
    events: list[ProgressEvent] = []

    def take_notice(event: ProgressEvent) -> None:
        events.append(event)

    migrate(migrated, progress=take_notice)

    pending = REVISIONS[1:]
    assert [(event.label[:3], event.done, event.total) for event in events] == [
        (revision, number, len(pending)) for number, revision in enumerate(pending, start=1)
    ]


def test_migrate_does_not_create_what_is_not_there(empty: Database) -> None:
    with pytest.raises(EmptyDatabase) as caught:
        migrate(empty)

    assert caught.value.hint == "Set it up with: qadb init"
    assert read_state(empty).state in ("absent", "empty")


def test_migrate_leaves_a_foreign_database_alone(
    empty: Database, database_url: str, database_server: PostgresServer | None
) -> None:
    fill_with_foreign_tables(empty)
    before = dump(database_url, database_server)

    with pytest.raises(UnmanagedDatabase):
        migrate(empty)
    with pytest.raises(UnmanagedDatabase):
        plan_migration(empty)

    assert dump(database_url, database_server) == before


@pytest.mark.parametrize("revision", [AFTER_HEAD, "other"])
def test_migrate_refuses_a_database_that_another_qadb_migrated(
    migrated: Database, revision: str
) -> None:
    stand_at(migrated, revision)

    with pytest.raises(RevisionMismatch, match=revision):
        migrate(migrated)


def test_rows_survive_going_up(migrated: Database) -> None:
    take_back(migrated, "001")
    execute(migrated, "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")

    migrate(migrated)

    with migrated.connect(read_only=True) as connection:
        found = connection.exec_driver_sql("SELECT id FROM tenants ORDER BY id").scalars().all()
    assert found == ["acme", "default"]
