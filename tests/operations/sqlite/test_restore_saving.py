"""What a restore replaces is saved before, all of it, whoever writes meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qadb.errors import DatabaseFailure, DatabaseInUse, StorageFull
from qadb.operations import rebuild as rebuild_operation
from qadb.operations import restore_safety
from qadb.operations.backup import write_backup
from qadb.operations.restore import RestoreOptions, plan_restore, restore
from tests.operations.sqlite.scene import ADD_LATER, COUNT, is_sound, put_back, set_journal_mode
from tests.support.databases import fetch_rows, open_database

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qadb.database import Database
    from qadb.errors import QadbError
    from qadb.operations.backup import BackupResult


def let_somebody_write(
    monkeypatch: pytest.MonkeyPatch,
    live: Path,
    *statements: str,
    failures: Sequence[QadbError] = (),
) -> list[BackupResult]:
    """Let statements be committed once the former database is saved, and list what is saved.

    Saving it again fails first in each of these ways.
    """
    saved: list[BackupResult] = []
    left = list(failures)

    def save(*arguments: Any, **named: Any) -> BackupResult:
        if saved and left:
            raise left.pop(0)
        saved.append(write_backup(*arguments, **named))
        if len(saved) == 1:
            with closing(sqlite3.connect(live, isolation_level=None)) as other:
                for statement in statements:
                    other.execute(statement)
        return saved[-1]

    monkeypatch.setattr(restore_safety, "write_backup", save)
    return saved


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_what_is_written_after_the_former_database_was_saved_is_saved_too(
    database: Database,
    backup: Path,
    live: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    journal_mode: str,
) -> None:
    set_journal_mode(database, live, journal_mode)
    saved = let_somebody_write(monkeypatch, live, ADD_LATER)
    options = RestoreOptions(safety_folder=tmp_path / "safe")
    said: list[str] = []

    result = restore(database, plan_restore(database, backup), options, notify=said.append)

    assert fetch_rows(database, COUNT) == [(249,)]
    assert result.safety_backup is not None
    assert list((tmp_path / "safe").glob("*.qadb")) == [result.safety_backup]
    assert len(saved) == 2
    assert [line for line in said if "wrote" in line]
    with open_database(f"sqlite:///{tmp_path / 'copy.sqlite3'}") as copy:
        restore(copy, plan_restore(copy, result.safety_backup))
        assert fetch_rows(copy, COUNT) == [(251,)]


@pytest.mark.parametrize(
    "statements", [(), ("PRAGMA wal_checkpoint",), ("BEGIN", ADD_LATER, "ROLLBACK")]
)
def test_where_nobody_has_written_it_is_saved_once(
    database: Database,
    backup: Path,
    live: Path,
    monkeypatch: pytest.MonkeyPatch,
    statements: tuple[str, ...],
) -> None:
    saved = let_somebody_write(
        monkeypatch, live, *(each.replace("QQ", "QX") for each in statements)
    )

    put_back(database, backup)

    assert len(saved) == 1
    assert fetch_rows(database, COUNT) == [(249,)]


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_nothing_is_replaced_where_what_was_written_late_cannot_be_saved(
    database: Database,
    backup: Path,
    live: Path,
    monkeypatch: pytest.MonkeyPatch,
    journal_mode: str,
) -> None:
    set_journal_mode(database, live, journal_mode)
    saved = let_somebody_write(
        monkeypatch, live, ADD_LATER, failures=[DatabaseFailure("It failed.")]
    )

    with pytest.raises(DatabaseFailure):
        put_back(database, backup)

    assert fetch_rows(database, COUNT) == [(251,)]
    assert is_sound(live)
    assert saved[0].path.exists()


def test_the_former_backup_gives_way_where_there_is_room_for_one(
    database: Database, backup: Path, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = let_somebody_write(
        monkeypatch, live, ADD_LATER, failures=[StorageFull("There is no room.")]
    )

    put_back(database, backup)

    assert fetch_rows(database, COUNT) == [(249,)]
    assert len(saved) == 2
    assert set(backup.parent.glob("*.qadb")) == {backup, saved[1].path}


@pytest.mark.parametrize("is_there", [True, False])
def test_what_somebody_began_where_nothing_was_is_left(
    tmp_path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    live = tmp_path / "new.sqlite3"
    if is_there:
        sqlite3.connect(live).execute("VACUUM").close()

    def begin_to_write(*_: Any) -> None:
        with closing(sqlite3.connect(live, isolation_level=None)) as other:
            other.execute("CREATE TABLE theirs (n)")

    monkeypatch.setattr(rebuild_operation, "check_rebuilt", begin_to_write)
    with open_database(f"sqlite:///{live}") as place:
        plan = plan_restore(place, backup)
        with pytest.raises(DatabaseInUse, match="held nothing"):
            restore(place, plan, RestoreOptions(safety_folder=tmp_path / "safe"))

    with closing(sqlite3.connect(live)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
