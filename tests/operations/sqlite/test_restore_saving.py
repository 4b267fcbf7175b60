"""What a restore replaces is saved before, all of it, whoever writes meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qadb.errors import StorageFull
from qadb.operations import restore_safety
from qadb.operations.backup import write_backup
from qadb.operations.restore import RestoreOptions, plan_restore, restore
from tests.operations.sqlite.live_file import ADD, COUNT, is_sound, put_back, set_journal_mode
from tests.support.databases import fetch_rows, open_database

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from qadb.errors import QadbError
    from qadb.operations.backup import BackupResult


def let_somebody_write(
    monkeypatch: pytest.MonkeyPatch,
    live: Path,
    *statements: str,
    then: QadbError | None = None,
) -> list[BackupResult]:
    """Let statements be committed once the former database is saved, and list what is saved.

    Saving it again fails with ``then``, if any.
    """
    saved: list[BackupResult] = []

    def save(*arguments: Any, **named: Any) -> BackupResult:
        if saved and then is not None:
            raise then
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
    late = ADD.replace("QQ", "QX")
    saved = let_somebody_write(monkeypatch, live, late)
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


@pytest.mark.parametrize("statements", [(), ("PRAGMA wal_checkpoint",), ("BEGIN", ADD, "ROLLBACK")])
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


def test_nothing_is_replaced_where_what_was_written_late_cannot_be_saved(
    database: Database, backup: Path, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = ADD.replace("QQ", "QX")
    let_somebody_write(monkeypatch, live, late, then=StorageFull("There is no room."))

    with pytest.raises(StorageFull):
        put_back(database, backup)

    assert fetch_rows(database, COUNT) == [(251,)]
    assert is_sound(live)
