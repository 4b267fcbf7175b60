"""Running revisions: whole or not at all, verified, and nobody's rows lost on the way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from qadb.backends.sqlite import migrations as sqlite_rules
from qadb.database import Database
from qadb.errors import MigrationFailed
from qadb.revisions.runner import AppliedRevision, run_revisions
from qadb.revisions.state import read_state
from tests.revisions.running import go_down, go_up
from tests.support.databases import execute, fetch_rows
from tests.support.revision_folders import write_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

BROKEN_AT_THE_THIRD = """\
op.execute("CREATE TABLE third (id INTEGER)")
op.execute("INSERT INTO parent VALUES (77, 'half-way')")
op.execute("INSERT INTO nowhere VALUES (1)")
"""


def table_names(database: Database) -> set[str]:
    with database.connect(read_only=True) as connection:
        return set(database.backend.connector.list_tables(connection))


def test_steps_are_told_in_order_with_title_and_duration(small: Database) -> None:
    told: list[AppliedRevision] = []

    applied = run_revisions(small, "up", "002", lock_timeout_seconds=2, on_step=told.append)

    assert tuple(told) == applied
    assert [(step.revision, step.title) for step in applied] == [
        ("001", "Parents"),
        ("002", "Children"),
    ]
    assert all(step.elapsed_seconds > 0 for step in applied)


def test_going_down_runs_the_newest_first(small: Database) -> None:
    go_up(small, "002")

    assert [step.revision for step in go_down(small, None)] == ["002", "001"]
    assert table_names(small) == small.schema.own_tables


def test_failed_revision_leaves_nothing_of_itself(small: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", up=BROKEN_AT_THE_THIRD)
    go_up(small, "002")
    history = "SELECT revision, direction FROM qadb_history ORDER BY id"

    with pytest.raises(MigrationFailed) as caught:
        go_up(small, "003")

    assert "Revision 003 failed" in caught.value.message
    assert "nowhere" in caught.value.message
    assert "\n" not in caught.value.message
    assert read_state(small).revision == "002"
    assert "third" not in table_names(small)
    assert fetch_rows(small, "SELECT * FROM parent") == []
    assert fetch_rows(small, history) == [("001", "up"), ("002", "up")]


def test_revisions_before_a_failed_one_stay_on_postgresql(
    small_postgresql: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up=BROKEN_AT_THE_THIRD)

    with pytest.raises(MigrationFailed):
        go_up(small_postgresql, "003")

    assert read_state(small_postgresql).revision == "002"
    assert table_names(small_postgresql) == {"parent", "child"} | small_postgresql.schema.own_tables


def test_revisions_before_a_failed_one_go_with_it_on_sqlite(
    small_sqlite: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up=BROKEN_AT_THE_THIRD)

    with pytest.raises(MigrationFailed) as caught:
        go_up(small_sqlite, "003")

    assert "Revision 003 failed" in caught.value.message
    assert read_state(small_sqlite).state == "empty"
    assert table_names(small_sqlite) == set()


def test_error_in_a_revisions_python_names_the_revision(small: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", up="raise ValueError('odd\\nsecond line')")

    with pytest.raises(MigrationFailed) as caught:
        go_up(small, "003")

    assert caught.value.message == "Revision 003 failed: odd"


def test_error_without_words_is_named_by_its_kind(small: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", up="assert False")

    with pytest.raises(MigrationFailed, match="Revision 003 failed: AssertionError"):
        go_up(small, "003")


def test_revision_that_can_not_be_imported_is_a_clear_failure(
    small: Database, folder: Path
) -> None:
    path = write_revision(folder, "003", "002")
    path.write_text(f"import no_such_module_here\n{path.read_text()}")

    with pytest.raises(MigrationFailed, match=r"can't be run: .*no_such_module_here"):
        go_up(small, "003")

    assert table_names(small) == set()


def test_run_that_commits_nothing_is_found_out(
    small_sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_up(small_sqlite, "001")
    genuine = sqlite_rules._check_foreign_keys

    def roll_back(connection: Connection) -> None:
        genuine(connection)
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN")  # so that the COMMIT that follows has nothing to do

    monkeypatch.setattr(sqlite_rules, "_check_foreign_keys", roll_back)

    with pytest.raises(MigrationFailed, match="stands at 001 after the run, not at 002"):
        go_up(small_sqlite, "002")


def test_run_inside_a_transaction_that_is_never_committed_is_found_out(
    small_postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement before Alembic begins makes it take the transaction for the caller's own."""
    genuine = Database.migrating

    @contextmanager
    def speaking_first(
        database: Database, *, lock_timeout_seconds: float, on_blocked: Callable[[str], None]
    ) -> Iterator[Connection]:
        with genuine(
            database, lock_timeout_seconds=lock_timeout_seconds, on_blocked=on_blocked
        ) as connection:
            connection.exec_driver_sql("SELECT 1")
            yield connection

    monkeypatch.setattr(Database, "migrating", speaking_first)

    with pytest.raises(MigrationFailed, match="stands at base after the run, not at 002"):
        go_up(small_postgresql, "002")


def test_revision_that_leaves_orphans_is_stopped_on_sqlite(
    small_sqlite: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up='op.execute("DELETE FROM parent")')
    go_up(small_sqlite, "002")
    execute(small_sqlite, "INSERT INTO parent VALUES (1, 'p')", "INSERT INTO child VALUES (5, 1)")

    with pytest.raises(MigrationFailed) as caught:
        go_up(small_sqlite, "003")

    assert "child row 5" in caught.value.message
    assert "parent" in caught.value.message
    assert fetch_rows(small_sqlite, "SELECT id FROM parent") == [(1,)]
    assert read_state(small_sqlite).revision == "002"


def test_rebuilding_a_parent_table_loses_no_child(small: Database, folder: Path) -> None:
    rebuild = """\
        with op.batch_alter_table("parent") as batch:
            batch.alter_column("name", existing_type=sa.String(20), type_=sa.String(40))
        """
    write_revision(folder, "003", "002", up=rebuild)
    go_up(small, "002")
    children = [f"INSERT INTO child VALUES ({i}, {i % 3})" for i in range(30)]
    execute(small, "INSERT INTO parent VALUES (0, 'a'), (1, 'b'), (2, 'c')", *children)

    go_up(small, "003")

    assert fetch_rows(small, "SELECT count(*) FROM child") == [(30,)]
    assert fetch_rows(small, "SELECT count(*) FROM parent") == [(3,)]


def test_foreign_keys_hold_again_after_a_run(small_sqlite: Database) -> None:
    go_up(small_sqlite, "002")

    assert fetch_rows(small_sqlite, "PRAGMA foreign_keys") == [(1,)]
