"""A backup before revisions change: verified, written down, and named when they fail."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qadb.backups.folder import read_backup
from qadb.errors import MigrationFailed, QadbError
from qadb.operations import backup as backing_up
from qadb.operations.init import init_database
from qadb.operations.migrate import migrate
from qadb.operations.restore import plan_restore, restore
from qadb.operations.rollback import plan_rollback, rollback
from qadb.operations.status import read_status
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.revision_folders import schema_of, write_revision

if TYPE_CHECKING:
    from qadb.database import Database


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for backups that is not there yet."""
    return tmp_path / "backups"


def test_the_state_before_is_saved_and_verified(migrated: Database, place: Path) -> None:
    back = rollback(migrated, plan_rollback(migrated, "008"), backup_folder=place)
    forth = migrate(migrated, backup_folder=place)

    for result, revision in ((back, "010"), (forth, "008")):
        assert result.backup is not None
        saved = read_backup(result.backup)
        assert saved.manifest is not None
        assert (saved.manifest.revision, saved.manifest.purpose) == (revision, "migrate")
        assert saved.verified_at is not None
    steps = [entry for entry in read_status(migrated).history if entry.direction == "up"]
    assert {entry.backup for entry in steps[-2:]} == {str(forth.backup)}


def test_nothing_to_do_makes_no_backup(migrated: Database, place: Path) -> None:
    assert migrate(migrated, backup_folder=place).backup is None
    assert init_database(migrated, backup_folder=place).backup is None
    assert not place.exists()


def test_a_new_database_has_nothing_to_save(empty: Database, place: Path) -> None:
    assert init_database(empty, backup_folder=place).backup is None
    assert not place.exists()


def test_init_saves_a_database_that_is_behind(migrated: Database, place: Path) -> None:
    rollback(migrated, plan_rollback(migrated, "008"))

    assert init_database(migrated, backup_folder=place).backup is not None


def test_a_failure_names_the_command_that_brings_the_former_state_back(
    database_url: str, folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "my backups"
    write_revision(folder, "001", None, up="op.execute('CREATE TABLE t (id INTEGER)')")
    with open_database(database_url, schema_of(folder)) as database:
        init_database(database)
        execute(database, "INSERT INTO t VALUES (1)")
        write_revision(folder, "002", "001", up="op.execute('DELETE FROM t'); op.execute('x')")

        with pytest.raises(MigrationFailed) as caught:
            migrate(database, backup_folder=place)

        words = shlex.split((caught.value.hint or "").partition("qadb restore")[2])
        restore(database, plan_restore(database, Path(words[0])))
        assert fetch_rows(database, "SELECT id FROM t") == [(1,)]


def test_a_backup_that_fails_stops_everything(
    migrated: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollback(migrated, plan_rollback(migrated, "009"))

    def fail(*_: object, **__: object) -> None:
        raise QadbError("no room")

    monkeypatch.setattr(backing_up, "write_backup", fail)
    with pytest.raises(QadbError, match="no room"):
        migrate(migrated, backup_folder=place)

    assert read_status(migrated).database.revision == "009"
