"""What a rollback would lose, counted exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.revisions.losses import Loss, count_losses, find_losses
from tests.revisions.running import go_up
from tests.support.databases import execute
from tests.support.revision_folders import write_revision

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

ADD_COLUMNS = """\
op.add_column("parent", sa.Column("born", sa.Integer()))
op.add_column("parent", sa.Column("Äge", sa.Integer(), server_default="7"))
"""


def prepare(database: Database, folder: Path) -> None:
    """003 adds two columns to parent; three parents, one of them with all values."""
    write_revision(folder, "003", "002", up=ADD_COLUMNS)
    go_up(database, "003")
    execute(
        database,
        "INSERT INTO parent (id, name, born) VALUES (1, 'a', 1990), (2, 'b', NULL), (3, 'c', NULL)",
        "INSERT INTO child VALUES (1, 1), (2, 1)",
    )


def test_columns_that_go_are_counted_by_their_values(small: Database, folder: Path) -> None:
    prepare(small, folder)

    assert set(find_losses(small, "003", "002")) == {
        Loss("parent", "born", 1),
        Loss("parent", "Äge", 3),
    }


def test_tables_that_go_are_counted_by_rows_and_their_columns_not_named(
    small: Database, folder: Path
) -> None:
    prepare(small, folder)

    assert find_losses(small, "003", None) == (Loss("child", None, 2), Loss("parent", None, 3))


def test_tables_and_columns_come_together(small: Database, folder: Path) -> None:
    prepare(small, folder)

    assert find_losses(small, "003", "001") == (
        Loss("child", None, 2),
        Loss("parent", "born", 1),
        Loss("parent", "Äge", 3),
    )


def test_table_that_somebody_dropped_by_hand_is_no_loss(small: Database, folder: Path) -> None:
    prepare(small, folder)
    execute(small, "DROP TABLE child")

    assert find_losses(small, "002", "001") == ()


def test_losses_are_counted_anew(small: Database, folder: Path) -> None:
    prepare(small, folder)
    planned = find_losses(small, "003", "001")
    execute(small, "INSERT INTO child VALUES (3, 1)", "UPDATE parent SET born = 2000")

    assert [loss.rows for loss in count_losses(small, planned)] == [3, 3, 3]


def test_loss_is_named_as_people_write_it() -> None:
    assert Loss("runs", None, 1).name == "runs"
    assert Loss("runs", "branch", 1).name == "runs.branch"
