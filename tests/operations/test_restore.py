"""Restoring: checked first, built beside, swapped at once, and what was replaced is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.backends.catalog import diff
from qadb.backups.archive import ArchiveReader
from qadb.backups.folder import find_latest, list_backups
from qadb.errors import (
    BackupDamaged,
    BackupNotFound,
    LockNotAvailable,
    RestoreRefused,
    UnmanagedDatabase,
)
from qadb.operations.backup import BackupOptions, create_backup
from qadb.operations.init import init_database
from qadb.operations.migrate import migrate
from qadb.operations.restore import RestoreOptions, plan_restore, restore
from qadb.operations.rollback import plan_rollback, rollback
from qadb.operations.status import read_status
from tests.support.databases import execute, fetch_rows, live_catalog

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

ADD = "INSERT INTO countries (code, name) VALUES ('{}', 'Atlantis')"
COUNT = "SELECT count(*) FROM countries"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for backups that is not there yet."""
    return tmp_path / "backups"


def test_everything_is_as_it_was(migrated: Database, place: Path) -> None:
    catalog = live_catalog(migrated)
    backup = create_backup(migrated, place).path
    execute(migrated, ADD.format("QQ"), "DELETE FROM tenants", "DROP TABLE notes")

    plan = plan_restore(migrated, backup)
    result = restore(migrated, plan, RestoreOptions(safety_folder=place))

    assert plan.replaces
    assert not diff(catalog, live_catalog(migrated))
    assert fetch_rows(migrated, COUNT) == [(249,)]
    assert fetch_rows(migrated, "SELECT count(*) FROM notes") == [(0,)]
    assert result.plan.pending == ()
    status = read_status(migrated)
    assert status.database.state == "current"
    assert (status.history[-1].operation, status.history[-1].backup) == ("restore", str(backup))
    with ArchiveReader(backup) as archive:
        assert status.last_backup == archive.manifest.taken_at


def test_what_was_replaced_is_kept_and_is_not_the_latest(migrated: Database, place: Path) -> None:
    backup = create_backup(migrated, place).path
    execute(migrated, ADD.format("QQ"))

    result = restore(migrated, plan_restore(migrated, backup), RestoreOptions(safety_folder=place))

    assert find_latest(place, migrated.url) == backup
    if result.safety_backup is not None:  # else the server keeps it under another name
        restore(migrated, plan_restore(migrated, result.safety_backup))
        assert fetch_rows(migrated, COUNT) == [(250,)]
    else:
        assert result.previous is not None
        with open_former(migrated, result.previous) as former:
            assert fetch_rows(former, COUNT) == [(250,)]


def open_former(database: Database, name: str) -> Database:
    return type(database)(database.url.with_database(name), database.schema)


def test_an_older_revision_comes_back_and_can_be_migrated(migrated: Database, place: Path) -> None:
    rollback(migrated, plan_rollback(migrated, "007"))
    backup = create_backup(migrated, place).path
    migrate(migrated)

    result = restore(migrated, plan_restore(migrated, backup))

    assert [revision.revision for revision in result.plan.pending] == ["008", "009", "010"]
    assert read_status(migrated).database.revision == "007"
    migrate(migrated)
    assert read_status(migrated).database.state == "current"


def test_into_a_place_where_nothing_is(
    migrated: Database, empty: Database, place: Path, database_url: str
) -> None:
    backup = create_backup(migrated, place).path
    plan = plan_restore(empty, backup)

    result = restore(empty, plan, RestoreOptions(safety_folder=place))

    assert not plan.replaces
    assert result.safety_backup is None
    assert fetch_rows(empty, COUNT) == [(249,)]
    assert fetch_rows(migrated, COUNT) == [(249,)]


def test_a_plan_changes_nothing_and_names_what_would_be_replaced(
    migrated: Database, place: Path
) -> None:
    backup = create_backup(migrated, place).path
    execute(migrated, ADD.format("QQ"))

    plan = plan_restore(migrated, backup)

    assert plan.standing == "managed"
    assert (plan.tables["countries"], plan.manifest.tables["countries"]) == (250, 249)
    assert sum(plan.tables.values()) - sum(plan.comes.values()) == 1
    assert fetch_rows(migrated, COUNT) == [(250,)]


def test_a_damaged_file_is_refused_before_anything_happens(migrated: Database, place: Path) -> None:
    backup = create_backup(migrated, place).path
    whole = backup.read_bytes()
    backup.write_bytes(whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:])
    execute(migrated, ADD.format("QQ"))

    with pytest.raises(BackupDamaged, match="seal"):
        plan_restore(migrated, backup)

    assert fetch_rows(migrated, COUNT) == [(250,)]


def test_a_file_that_changed_after_it_was_looked_at_is_refused(
    migrated: Database, place: Path
) -> None:
    plan = plan_restore(migrated, create_backup(migrated, place).path)
    plan.path.unlink()
    create_backup(migrated, plan.path)

    with pytest.raises(BackupDamaged, match="no longer"):
        restore(migrated, plan)


def test_a_newer_revision_than_this_qadb_knows_is_refused(migrated: Database, place: Path) -> None:
    execute(migrated, "UPDATE qadb_version SET version_num = '999'")
    backup = create_backup(migrated, place).path

    with pytest.raises(RestoreRefused, match="999"):
        plan_restore(migrated, backup)


def test_another_application_s_database_is_never_replaced(
    migrated: Database, empty: Database, place: Path
) -> None:
    backup = create_backup(migrated, place).path
    empty.create()
    execute(empty, "CREATE TABLE theirs (id INTEGER PRIMARY KEY)")

    with pytest.raises(UnmanagedDatabase):
        plan_restore(empty, backup)


def test_a_missing_file_is_said(migrated: Database, place: Path) -> None:
    with pytest.raises(BackupNotFound):
        plan_restore(migrated, place / "none.qadb")


def test_another_operation_keeps_it_waiting(migrated: Database, place: Path) -> None:
    plan = plan_restore(migrated, create_backup(migrated, place).path)
    with (
        migrated.exclusive(wait_seconds=0, on_wait=lambda _: None),
        type(migrated)(migrated.url, migrated.schema) as other,
        pytest.raises(LockNotAvailable),
    ):
        restore(other, plan, wait_lock_seconds=0.3)


def test_content_that_is_not_what_the_manifest_says_is_refused(
    migrated: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qadb.operations import backup_file as operation

    genuine = operation.describe

    def lie(*arguments: object, **named: object) -> object:
        named["tables"] = {**named["tables"], "countries": 7}  # type: ignore[dict-item]
        return genuine(*arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(operation, "describe", lie)
        backup = create_backup(migrated, place).path
    execute(migrated, ADD.format("QQ"))

    with pytest.raises(BackupDamaged, match="7 rows of countries"):
        restore(migrated, plan_restore(migrated, backup), RestoreOptions(safety_folder=place))

    assert fetch_rows(migrated, COUNT) == [(250,)]
    saved = 0 if migrated.backend.restorer.keeps_previous else 1  # a backup as good as any stays
    assert len(list_backups(place)) == 1 + saved


def test_twice_the_same_is_the_same(migrated: Database, place: Path) -> None:
    backup = create_backup(migrated, place, BackupOptions(verify=True)).path
    for _ in range(2):
        restore(migrated, plan_restore(migrated, backup), RestoreOptions(safety_folder=place))
    assert fetch_rows(migrated, COUNT) == [(249,)]
    left = [name for name in names_in(place.parent) if name.endswith((".restoring", ".partial"))]
    assert left == []


def test_a_restored_database_goes_on_numbering_where_it_was(
    migrated: Database, place: Path
) -> None:
    insert = "INSERT INTO products (tenant_id, sku, name) SELECT id, '{0}', '{0}' FROM tenants"
    execute(migrated, insert.format("a"), insert.format("b"))
    highest = fetch_rows(migrated, "SELECT max(id) FROM products")
    restore(migrated, plan_restore(migrated, create_backup(migrated, place).path))

    execute(migrated, insert.format("c"))

    assert fetch_rows(migrated, "SELECT max(id) - 1 FROM products") == highest


def test_init_after_a_restore_finds_nothing_to_do(migrated: Database, place: Path) -> None:
    restore(migrated, plan_restore(migrated, create_backup(migrated, place).path))

    assert init_database(migrated).applied == ()
