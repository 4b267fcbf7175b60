"""A table that a revision makes anew keeps its rows, or the revision says that it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.errors import MigrationFailed
from qadb.operations.migrate import plan_migration, render_migration
from qadb.revisions.state import read_state
from tests.revisions.running import go_down, go_up
from tests.support.databases import execute, fetch_rows
from tests.support.revision_folders import write_revision

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

COPY_BESIDE = """\
op.execute("CREATE TABLE fresh (id INTEGER PRIMARY KEY, name VARCHAR(40))")
op.execute("INSERT INTO fresh SELECT * FROM parent WHERE id > 1")
op.execute('DROP TABLE "parent"')
op.execute("ALTER TABLE fresh RENAME TO parent")
"""
COPY_BACK = """\
op.execute("ALTER TABLE parent RENAME TO former")
op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(40))")
op.execute("INSERT INTO parent SELECT * FROM former WHERE id > 1")
op.execute("DROP TABLE former")
"""
EMPTY_AND_FILL = """\
op.execute("DROP TABLE child")
op.execute("DELETE FROM parent WHERE id = 1")
"""


@pytest.fixture
def filled(small_sqlite: Database) -> Database:
    """Stands at 002, with three parents."""
    go_up(small_sqlite, "002")
    execute(small_sqlite, "INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    return small_sqlite


@pytest.mark.parametrize(
    "rebuild", [COPY_BESIDE, COPY_BACK, COPY_BESIDE.replace('"parent"', '"PARENT"')]
)
def test_rebuilt_table_with_fewer_rows_stops_the_run(
    filled: Database, folder: Path, rebuild: str
) -> None:
    write_revision(folder, "003", "002", up=rebuild)
    write_revision(folder, "004", "003")

    with pytest.raises(MigrationFailed) as caught:
        go_up(filled, "004")

    assert caught.value.message == "Revision 003 rebuilds parent with 2 of its 3 rows."
    assert 'FEWER_ROWS = ("parent",)' in (caught.value.hint or "")
    assert read_state(filled).revision == "002"
    assert fetch_rows(filled, "SELECT id FROM parent ORDER BY id") == [(1,), (2,), (3,)]


@pytest.mark.parametrize("rebuild", [COPY_BESIDE, COPY_BACK])
def test_rows_that_a_revision_declares_may_go(filled: Database, folder: Path, rebuild: str) -> None:
    path = write_revision(folder, "003", "002", up=rebuild)
    path.write_text(f'{path.read_text()}\nFEWER_ROWS = ("parent",)\n')

    go_up(filled, "003")

    assert fetch_rows(filled, "SELECT id FROM parent ORDER BY id") == [(2,), (3,)]


def test_going_down_is_guarded_as_well(filled: Database, folder: Path) -> None:
    write_revision(folder, "003", "002", back=COPY_BESIDE)
    go_up(filled, "003")

    with pytest.raises(MigrationFailed, match="2 of its 3 rows"):
        go_down(filled, "002")

    assert read_state(filled).revision == "003"


def test_tables_that_go_and_rows_that_are_deleted_are_the_revisions_own(
    filled: Database, folder: Path
) -> None:
    write_revision(folder, "003", "002", up=EMPTY_AND_FILL)
    write_revision(folder, "004", "003", up='op.execute("CREATE TABLE child (id INTEGER)")')
    execute(filled, "INSERT INTO child VALUES (7, 1)")

    go_up(filled, "004")

    assert fetch_rows(filled, "SELECT id FROM parent ORDER BY id") == [(2,), (3,)]
    assert fetch_rows(filled, "SELECT count(*) FROM child") == [(0,)]


@pytest.mark.parametrize(
    "ending", ["COMMIT", "end transaction", "ROLLBACK", "ROLLBACK TRANSACTION"]
)
def test_revision_that_ends_the_transaction_is_stopped_before(
    filled: Database, folder: Path, ending: str
) -> None:
    up = f'op.execute("DELETE FROM parent")\nop.execute("{ending}")'
    write_revision(folder, "003", "002", up=up)

    with pytest.raises(MigrationFailed, match="commits by itself"):
        go_up(filled, "003")

    assert fetch_rows(filled, "SELECT count(*) FROM parent") == [(3,)]
    assert read_state(filled).revision == "002"


def test_autocommit_block_leaves_nothing_half_done(filled: Database, folder: Path) -> None:
    block = 'with op.get_context().autocommit_block():\n    op.execute("DELETE FROM parent")'
    write_revision(folder, "003", "002", up=block)

    with pytest.raises(MigrationFailed, match="Revision 003 opens an autocommit block") as caught:
        go_up(filled, "003")

    assert "on other engines only" in (caught.value.hint or "")
    assert fetch_rows(filled, "SELECT count(*) FROM parent") == [(3,)]


def test_plan_and_script_refuse_an_autocommit_block_as_well(filled: Database, folder: Path) -> None:
    block = 'with op.get_context().autocommit_block():\n    op.execute("DELETE FROM parent")'
    write_revision(folder, "003", "002", up=block)

    plan = plan_migration(filled).plan

    assert plan is not None
    assert "Revision 003 opens an autocommit block" in (plan.reason or "")
    with pytest.raises(MigrationFailed, match="Revision 003 opens an autocommit block"):
        render_migration(filled)
