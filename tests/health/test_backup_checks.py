"""The checks of the backups: a folder that fails each, and one that just passes."""

from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from qadb.backups.archive import ArchiveReader
from qadb.backups.folder import mark_verified
from qadb.health import backup_facts
from tests.backups.making import make_manifest, write_archive
from tests.health.asking import ask
from tests.support.databases import execute

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

NOW = datetime.now(UTC)
Usage = namedtuple("Usage", "total used free")
HISTORY = """
UPDATE qadb_history SET applied_at = '{}' WHERE id = (SELECT min(id) FROM qadb_history)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "backups"
    found.mkdir(mode=0o700)
    return found


def add_backup(
    folder: Path, database: Database, *, days: float, content_bytes: int = 4, verified: float = -1
) -> Path:
    """A backup that was taken, and perhaps verified, that many days ago."""
    path = folder / f"backup-{days}.qadb"
    manifest = make_manifest(
        taken_at=NOW - timedelta(days=days),
        database=database.url.shown,
        content_bytes=content_bytes,
    )
    write_archive(path, manifest=replace(manifest, engine=database.url.engine))
    path.chmod(0o600)
    if verified >= 0:
        with ArchiveReader(path) as archive:
            mark_verified(path, archive.seal, NOW - timedelta(days=verified))
    return path


def age(database: Database, days: float) -> None:
    """Let the database be that old."""
    stamp = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    execute(database, HISTORY.format(stamp).replace(":", "\\:"))


@pytest.mark.parametrize(("hours", "status"), [(25.5, "ok"), (26.5, "warn"), (50.5, "crit")])
def test_the_newest_backup_may_be_a_day_old(
    migrated: Database, folder: Path, hours: float, status: str
) -> None:
    add_backup(folder, migrated, days=hours / 24)
    add_backup(folder, migrated, days=40)

    assert ask(migrated, "QADB-B01", backup_dir=folder).status == status


@pytest.mark.parametrize(("hours", "status"), [(25.5, "ok"), (26.5, "warn"), (50.5, "crit")])
def test_a_database_without_a_backup_may_be_a_day_old(
    migrated: Database, folder: Path, hours: float, status: str
) -> None:
    age(migrated, hours / 24)

    assert ask(migrated, "QADB-B01", backup_dir=folder).status == status
    assert ask(migrated, "QADB-B01", backup_dir=folder / "missing").status == status


def test_backups_of_other_databases_and_of_restores_do_not_count(
    migrated: Database, folder: Path
) -> None:
    age(migrated, 3)
    foreign = make_manifest(taken_at=NOW, database="other")
    replaced = make_manifest(taken_at=NOW, database=migrated.url.shown, purpose="restore")
    write_archive(folder / "foreign.qadb", manifest=foreign)
    write_archive(folder / "replaced.qadb", manifest=replaced)

    assert ask(migrated, "QADB-B01", backup_dir=folder).status == "crit"


def test_a_backup_that_is_somewhere_else_is_unknown(migrated: Database, folder: Path) -> None:
    age(migrated, 9)
    stamp = (NOW - timedelta(hours=3)).strftime("%Y-%m-%dT%H\\:%M\\:%S.%fZ")
    execute(
        migrated,
        "INSERT INTO qadb_history (revision, direction, applied_at, elapsed_seconds, user_name,"
        f" qadb_version, operation) VALUES ('', '', '{stamp}', 1, 'ada', '0.1', 'backup')",
    )

    result = ask(migrated, "QADB-B01", backup_dir=folder)

    assert result.status == "unknown"
    assert "QADB_BACKUP_DIR" in (result.hint or "")


@pytest.mark.parametrize(("days", "status"), [(7.8, "ok"), (8.2, "warn"), (32.2, "crit")])
def test_a_verified_backup_may_be_a_week_old(
    migrated: Database, folder: Path, days: float, status: str
) -> None:
    add_backup(folder, migrated, days=0.1)
    add_backup(folder, migrated, days=days, verified=days)
    add_backup(folder, migrated, days=90)

    assert ask(migrated, "QADB-B02", backup_dir=folder).status == status


@pytest.mark.parametrize(("days", "status"), [(7.8, "ok"), (8.2, "warn")])
def test_a_backup_may_wait_a_week_to_be_verified(
    migrated: Database, folder: Path, days: float, status: str
) -> None:
    add_backup(folder, migrated, days=days)

    result = ask(migrated, "QADB-B02", backup_dir=folder)

    assert result.status == status
    assert "No backup was ever verified" in result.message


@pytest.mark.parametrize(("kept", "status"), [(0.51, "ok"), (0.49, "warn"), (0.09, "crit")])
def test_a_backup_that_is_suddenly_small_fails(
    migrated: Database, folder: Path, kept: float, status: str
) -> None:
    add_backup(folder, migrated, days=2, content_bytes=10_000_000)
    add_backup(folder, migrated, days=1, content_bytes=int(10_000_000 * kept))

    assert ask(migrated, "QADB-B03", backup_dir=folder).status == status


def test_a_small_backup_may_shrink(migrated: Database, folder: Path) -> None:
    add_backup(folder, migrated, days=2, content_bytes=900_000)
    add_backup(folder, migrated, days=1, content_bytes=10)

    assert ask(migrated, "QADB-B03", backup_dir=folder).status == "ok"


@pytest.mark.parametrize(("days", "status"), [(34.8, "ok"), (35.2, "warn")])
def test_a_restore_is_tried_once_a_month(
    migrated: Database, folder: Path, days: float, status: str
) -> None:
    add_backup(folder, migrated, days=40, verified=days)
    add_backup(folder, migrated, days=1)

    assert ask(migrated, "QADB-B04", backup_dir=folder).status == status


@pytest.mark.parametrize("days", [34.8, 35.2])
def test_a_restore_counts_as_one(migrated: Database, folder: Path, days: float) -> None:
    add_backup(folder, migrated, days=40)
    stamp = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H\\:%M\\:%S.%fZ")
    execute(
        migrated,
        "INSERT INTO qadb_history (revision, direction, applied_at, elapsed_seconds, user_name,"
        f" qadb_version, operation) VALUES ('', '', '{stamp}', 1, 'ada', '0.1', 'restore')",
    )

    status = ask(migrated, "QADB-B04", backup_dir=folder).status
    assert status == ("ok" if days < 35 else "warn")


@pytest.mark.parametrize(("mode", "status"), [(0o640, "ok"), (0o644, "warn")])
def test_a_backup_that_any_user_may_read_is_a_warning(
    migrated: Database, folder: Path, mode: int, status: str
) -> None:
    path = add_backup(folder, migrated, days=1)
    path.chmod(mode)

    assert ask(migrated, "QADB-B05", backup_dir=folder).status == status


def test_a_folder_that_any_user_may_write_is_a_warning(migrated: Database, folder: Path) -> None:
    add_backup(folder, migrated, days=1)
    folder.chmod(0o777)

    result = ask(migrated, "QADB-B05", backup_dir=folder)

    assert result.status == "warn"
    assert "may remove backups" in result.details[0]


@pytest.mark.parametrize(("percent", "status"), [(201, "ok"), (199, "warn"), (99, "crit")])
def test_room_is_wanted_for_a_backup_and_a_vacuum(
    migrated: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, percent: int, status: str
) -> None:
    backup = add_backup(folder, migrated, days=1)
    needed = backup.stat().st_size
    if migrated.url.path is not None:
        needed += 2 * migrated.url.path.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, needed * percent // 100))

    result = ask(migrated, "QADB-B06", backup_dir=folder)

    assert result.status == status, result.message
    assert result.value == pytest.approx(percent, abs=0.2)


def test_room_is_looked_for_where_the_folder_will_be(migrated: Database, folder: Path) -> None:
    result = ask(migrated, "QADB-B06", backup_dir=folder / "not" / "there")

    assert result.status == "ok"


def test_what_goes_to_one_disk_needs_room_together(file: Database, folder: Path) -> None:
    facts = backup_facts.BackupFacts(folder, (), ())

    together = backup_facts.disk_room(facts, file.url.path, 1000)

    assert [room.needed_bytes for room in together] == [3000]
