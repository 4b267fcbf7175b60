"""What pending revisions would do, told before they do it, by the database's own figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.cli.blocks import Line
from qadb.cli.views.plan import plan_document, plan_text
from qadb.operations.migrate import plan_migration
from qadb.operations.rollback import plan_rollback
from qadb.revisions.losses import Loss
from tests.revisions.running import go_up
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.postgres_client import execute as execute_as_admin
from tests.support.revision_folders import schema_of, write_revision
from tests.support.roles import ordinary_role

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from qadb.revisions.plan import RunPlan

WIDEN = """\
with op.batch_alter_table("parent") as batch:
    batch.alter_column("name", existing_type=sa.String(20), type_=sa.String(40))
"""
TO_NUMBER = """\
with op.batch_alter_table("parent") as batch:
    batch.alter_column("name", existing_type=sa.String(20), type_=sa.Integer(),
                       postgresql_using="length(name)")
"""
DROP_NAME = 'with op.batch_alter_table("parent") as batch:\n    batch.drop_column("name")'
NEW_TABLE = """\
op.create_table("extra", sa.Column("id", sa.Integer(), primary_key=True))
op.create_index("idx_extra", "extra", ["id"])
"""


@pytest.fixture
def filled(small: Database) -> Database:
    """Stands at 002, with 30 parents of whom 20 have names."""
    go_up(small, "002")
    rows = [f"({n}, {repr(str(n)) if n < 20 else 'NULL'})" for n in range(30)]
    execute(
        small, f"INSERT INTO parent VALUES {', '.join(rows)}", "INSERT INTO child VALUES (1, 1)"
    )
    if small.url.engine == "postgresql":
        execute(small, "ANALYZE")
    return small


def plan_of(database: Database) -> RunPlan:
    plan = plan_migration(database).plan
    assert plan is not None
    return plan


def warnings(database: Database) -> list[str]:
    return [b.text for b in plan_text(plan_of(database)) if isinstance(b, Line)]


def test_table_that_is_written_anew_is_named_with_its_rows(filled: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", up=TO_NUMBER, title="Numbers")

    (step,) = plan_of(filled).steps

    assert (step.revision, step.title, step.losses) == ("003", "Numbers", ())
    assert any(x.rewrites and (x.table, x.rows) == ("parent", 30) for x in step.impacts)
    (warning,) = [text for text in warnings(filled) if "written anew" in text]
    assert warning.startswith("003: parent (30 rows, ")
    assert fetch_rows(filled, "SELECT count(name) FROM parent") == [(20,)]


def test_widening_a_text_writes_nothing_anew_on_postgresql(
    small_postgresql: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up=WIDEN)
    go_up(small_postgresql, "002")
    execute(small_postgresql, "INSERT INTO parent VALUES (1, 'a')", "ANALYZE")

    (step,) = plan_of(small_postgresql).steps

    (impact,) = step.impacts
    assert (impact.lock, impact.rewrites) == ("ACCESS EXCLUSIVE", False)


def test_dropped_columns_and_tables_are_told_with_what_they_hold(
    filled: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up=DROP_NAME)
    write_revision(folder, "004", "003", up='op.drop_table("child")')

    first, second = plan_of(filled).steps

    assert first.losses == (Loss("parent", "name", 20),)
    assert second.losses == (Loss("child", None, 1),)
    told = warnings(filled)
    assert "003: parent.name goes with its 20 values for good." in told
    assert "004: the table child goes with its 1 rows for good." in told


def test_tables_of_the_run_itself_and_empty_ones_are_no_matter(
    small: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up=f"{NEW_TABLE}{TO_NUMBER}")
    go_up(small, "002")

    assert warnings(small) == []
    assert "extra" not in [impact.table for impact in plan_of(small).steps[0].impacts]


def test_index_that_would_hold_writers_up_is_warned_about(
    small_postgresql: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up='op.create_index("i", "parent", ["name"])')
    go_up(small_postgresql, "002")
    execute(small_postgresql, "INSERT INTO parent VALUES (1, 'a')", "ANALYZE")

    (warning,) = warnings(small_postgresql)

    assert "is read whole while writes wait; CREATE INDEX CONCURRENTLY would let" in warning


def test_table_with_a_new_name_is_no_loss_and_is_followed(filled: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", up='op.rename_table("parent", "mother")')
    write_revision(folder, "004", "003", up='op.create_index("i", "mother", ["name"])')

    first, second = plan_of(filled).steps

    assert (first.losses, second.losses) == ((), ())
    assert [impact.rows for impact in second.impacts if impact.scans] == [30]


def test_table_that_goes_under_a_new_name_is_a_loss(filled: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", up='op.rename_table("child", "kid")')
    write_revision(folder, "004", "003", up='op.drop_table("kid")')

    first, second = plan_of(filled).steps

    assert (first.losses, second.losses) == ((), (Loss("child", None, 1),))


def test_concurrent_index_holds_nobody_up(small_postgresql: Database, folder: Path) -> None:
    up = """\
        with op.get_context().autocommit_block():
            op.create_index("i", "parent", ["name"], postgresql_concurrently=True)
        """
    write_revision(folder, "003", "002", up=up)
    go_up(small_postgresql, "002")
    execute(small_postgresql, "INSERT INTO parent VALUES (1, 'a')", "ANALYZE")

    (step,) = plan_of(small_postgresql).steps

    assert [impact.lock for impact in step.impacts] == ["SHARE UPDATE EXCLUSIVE"]
    assert warnings(small_postgresql) == []


def test_index_that_goes_locks_the_table_that_it_was_for(
    small_postgresql: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up='op.create_index("i", "parent", ["name"])')
    write_revision(folder, "004", "003", up='op.drop_index("i")')
    write_revision(folder, "005", "004", up='op.execute("DROP INDEX IF EXISTS i, j")')
    go_up(small_postgresql, "002")
    execute(small_postgresql, "INSERT INTO parent VALUES (1, 'a')", "ANALYZE")

    _, dropped, gone_already = plan_of(small_postgresql).steps

    (impact,) = dropped.impacts
    assert (impact.table, impact.lock, impact.rows) == ("parent", "ACCESS EXCLUSIVE", 1)
    assert [impact.table for impact in gone_already.impacts] == [None]


def test_key_that_goes_locks_the_table_that_it_refers_to(
    small_postgresql: Database, folder: Path
) -> None:
    drop = 'op.drop_constraint("child_parent_id_fkey", "child", type_="foreignkey")'
    write_revision(folder, "003", "002", up=drop)
    go_up(small_postgresql, "002")

    (step,) = plan_of(small_postgresql).steps

    locks = {impact.table: impact.lock for impact in step.impacts}
    assert locks == {"child": "ACCESS EXCLUSIVE", "parent": "ACCESS EXCLUSIVE"}


def test_code_that_nobody_can_foresee_is_warned_about(
    small_postgresql: Database, folder: Path
) -> None:
    code = 'op.execute("DO $$ BEGIN UPDATE parent SET name = name; END $$")'
    write_revision(folder, "003", "002", up=code)
    go_up(small_postgresql, "002")

    (warning,) = warnings(small_postgresql)

    assert warning.startswith("003: runs code that can't be foreseen: DO $$ BEGIN UPDATE")


def test_revision_that_needs_rows_is_told_of(filled: Database, folder: Path) -> None:
    needy = 'op.get_bind().execute(sa.text("SELECT id FROM parent WHERE id = 7")).one()'
    write_revision(folder, "003", "002", up=needy)

    assert "does not run where there are no rows" in (plan_of(filled).reason or "")


def test_nothing_pending_has_nothing_to_tell(filled: Database) -> None:
    assert plan_of(filled).steps == ()


def test_role_without_the_right_is_told_what_it_takes(
    small_postgresql: Database, postgresql_url: str, folder: Path
) -> None:
    go_up(small_postgresql, "001")
    with ordinary_role(postgresql_url) as role:
        execute_as_admin(
            postgresql_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role.name
        )
        with open_database(role.url(postgresql_url), schema_of(folder)) as database:
            result = plan_migration(database)

    assert [step.revision for step in result.applied] == ["002"]
    assert result.plan is not None
    assert "GRANT CREATE ON DATABASE" in (result.plan.reason or "")
    document = plan_document(result.plan)
    assert document is not None
    assert document["steps"] == []


def test_way_back_that_does_nothing_is_recognised(small: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", up=NEW_TABLE)
    write_revision(folder, "004", "003", back='op.execute("SELECT 1")')
    go_up(small, "004")

    plan = plan_rollback(small, "002")

    assert plan.empty == ("003",)
    assert [step.revision for step in plan.applied] == ["004", "003"]
