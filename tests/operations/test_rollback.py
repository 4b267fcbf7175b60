"""rollback: what it says would be lost, what it takes back, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.errors import (
    EmptyDatabase,
    ExitCode,
    RevisionMismatch,
    RevisionNotFound,
    UnmanagedDatabase,
)
from qadb.operations.migrate import migrate
from qadb.operations.rollback import plan_rollback, rollback
from qadb.revisions.losses import Loss
from qadb.revisions.state import read_state
from tests.operations.foreign import fill_with_foreign_tables, stand_at
from tests.support.databases import dump, execute
from tests.support.revisions import AFTER_HEAD, BEFORE_HEAD, HEAD, REVISIONS

if TYPE_CHECKING:
    from qadb.database import Database
    from tests.support.postgres_server import PostgresServer


def hold(database: Database, *runs: int) -> None:
    execute(
        database,
        *(f"INSERT INTO holds (scope, scope_id, reason) VALUES ('run', '{i}', 'x')" for i in runs),
    )


def fill(database: Database) -> None:
    """Two holds and three applications."""
    hold(database, 1, 2)
    execute(
        database, *(f"INSERT INTO applications (code, name) VALUES ('a{i}', 'A')" for i in range(3))
    )


def test_plan_counts_every_table_that_goes(migrated: Database) -> None:
    fill(migrated)

    plan = plan_rollback(migrated, "002")

    losses = {loss.table: loss.rows for loss in plan.losses}
    assert (plan.from_revision, plan.to_revision, plan.dry_run) == (HEAD, "002", True)
    assert [step.revision for step in plan.applied] == [*REVISIONS[:1:-1]]
    assert (losses["holds"], losses["test_results"], losses["notes"]) == (2, 0, 0)
    assert "applications" not in losses


def test_plan_counts_the_tables_of_all_steps(migrated: Database) -> None:
    fill(migrated)

    plan = plan_rollback(migrated, steps=len(REVISIONS) - 1)

    losses = {loss.table: loss.rows for loss in plan.losses}

    assert (losses["holds"], losses["applications"], losses["countries"]) == (2, 3, 249)
    assert "tenants" not in losses


def test_plan_writes_nothing(
    migrated: Database, migrated_url: str, database_server: PostgresServer | None
) -> None:
    before = dump(migrated_url, database_server)

    plan_rollback(migrated, "base")

    assert dump(migrated_url, database_server) == before


@pytest.mark.parametrize(
    ("target", "steps", "revision"),
    [
        (None, None, BEFORE_HEAD),
        (None, 2, REVISIONS[-3]),
        (None, len(REVISIONS) - 1, "001"),
        (None, len(REVISIONS), None),
        ("1", None, "001"),
        ("base", None, None),
    ],
)
def test_rollback_goes_back_as_far_as_it_is_told(
    migrated: Database, target: str | None, steps: int | None, revision: str | None
) -> None:
    plan = plan_rollback(migrated, target, steps=steps)
    assert plan.to_revision == revision

    result = rollback(migrated, plan)

    assert [step.revision for step in result.applied] == [s.revision for s in plan.applied]
    assert all(step.elapsed_seconds > 0 for step in result.applied)
    assert not result.dry_run
    assert read_state(migrated).revision == revision


def test_rollback_to_the_beginning_leaves_only_the_tools_own_tables(migrated: Database) -> None:
    rollback(migrated, plan_rollback(migrated, "base"))

    with migrated.connect(read_only=True) as connection:
        tables = migrated.backend.connector.list_tables(connection)
    assert tables == migrated.schema.own_tables
    assert read_state(migrated).state == "behind"

    migrate(migrated)
    assert read_state(migrated).state == "current"


def test_rollback_to_where_it_stands_has_nothing_to_do(migrated: Database) -> None:
    plan = plan_rollback(migrated, HEAD)

    assert not plan.is_needed
    assert rollback(migrated, plan).applied == ()


@pytest.mark.parametrize("steps", [len(REVISIONS) + 1, 99])
def test_going_back_further_than_the_beginning_is_wrong_usage(
    migrated: Database, steps: int
) -> None:
    with pytest.raises(RevisionNotFound) as caught:
        plan_rollback(migrated, steps=steps)

    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.message.endswith(f"it has {len(REVISIONS)} revisions.")


def test_rollback_forward_names_the_way(migrated: Database) -> None:
    rollback(migrated, plan_rollback(migrated, "001"))

    with pytest.raises(RevisionMismatch) as caught:
        plan_rollback(migrated, "002")

    assert caught.value.hint == "Go forward with: qadb migrate --target 002"


def test_plan_that_was_overtaken_is_not_carried_out(migrated: Database) -> None:
    plan = plan_rollback(migrated)
    rollback(migrated, plan_rollback(migrated))

    with pytest.raises(RevisionMismatch, match=f"moved from {HEAD} to {BEFORE_HEAD}"):
        rollback(migrated, plan)

    assert read_state(migrated).revision == BEFORE_HEAD


def test_data_that_came_after_the_plan_stops_the_rollback(migrated: Database) -> None:
    plan = plan_rollback(migrated, "002")
    hold(migrated, 1)

    with pytest.raises(RevisionMismatch, match="holds was empty"):
        rollback(migrated, plan)

    assert read_state(migrated).revision == HEAD


def test_result_tells_what_was_lost_in_the_end(migrated: Database) -> None:
    fill(migrated)
    plan = plan_rollback(migrated, "002")
    hold(migrated, 3)

    assert Loss("holds", None, 3) in rollback(migrated, plan).losses


def test_rollback_leaves_a_foreign_database_alone(
    empty: Database, database_url: str, database_server: PostgresServer | None
) -> None:
    fill_with_foreign_tables(empty)
    before = dump(database_url, database_server)

    with pytest.raises(UnmanagedDatabase):
        plan_rollback(empty, "001")

    assert dump(database_url, database_server) == before


def test_rollback_of_nothing_says_so(empty: Database) -> None:
    with pytest.raises(EmptyDatabase):
        plan_rollback(empty)


@pytest.mark.parametrize("revision", [AFTER_HEAD, "other"])
def test_rollback_refuses_a_database_that_another_qadb_migrated(
    migrated: Database, revision: str
) -> None:
    stand_at(migrated, revision)

    with pytest.raises(RevisionMismatch, match=revision):
        plan_rollback(migrated, "001")
