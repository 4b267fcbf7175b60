"""A folder of backups: names, the list, the newest, and which were verified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qadb.backups.folder import (
    choose_target,
    find_latest,
    list_backups,
    mark_verified,
    read_backup,
    remove_backup,
)
from qadb.errors import BackupNotFound
from qadb.settings.parsing import parse_database_url
from tests.backups.making import NOON, URL, make_manifest, write_archive

SQLITE = parse_database_url(URL, source="the test", base_dir=Path("/"))
SERVER = parse_database_url("postgresql://u:s@h/results db", source="the test", base_dir=Path("/"))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_gets_names_of_database_and_moment(tmp_path: Path) -> None:
    assert choose_target(tmp_path, SQLITE, NOON).name == "qa-20260301T120000Z.qadb"
    assert choose_target(tmp_path, SERVER, NOON).name == "results_db-20260301T120000Z.qadb"
    (tmp_path / "qa-20260301T120000Z.qadb").write_bytes(b"")
    assert choose_target(tmp_path, SQLITE, NOON).name == "qa-20260301T120000Z-2.qadb"


def test_a_name_of_a_backup_is_a_file_and_any_other_a_folder(tmp_path: Path) -> None:
    assert choose_target(tmp_path / "x.qadb", SQLITE, NOON) == tmp_path / "x.qadb"
    assert choose_target(tmp_path / "new.d", SQLITE, NOON).parent == tmp_path / "new.d"
    (tmp_path / "folder.qadb").mkdir()
    assert choose_target(tmp_path / "folder.qadb", SQLITE, NOON).parent.name == "folder.qadb"


def test_backups_are_listed_newest_first_and_unreadable_ones_last(tmp_path: Path) -> None:
    for name, days in (("b", 0), ("a", 1), ("c", 2)):
        manifest = make_manifest(taken_at=NOON + timedelta(days=days))
        write_archive(tmp_path / f"{name}.qadb", manifest=manifest)
    (tmp_path / "broken.qadb").write_bytes(b"half")
    (tmp_path / "other.txt").write_text("")

    listed = list_backups(tmp_path)

    assert [b.path.name for b in listed] == ["c.qadb", "a.qadb", "b.qadb", "broken.qadb"]
    assert listed[0].manifest is not None
    assert listed[-1].manifest is None
    assert "broken.qadb" in (listed[-1].problem or "")


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackupNotFound, match="none"):
        list_backups(tmp_path / "none")


def test_the_latest_is_the_newest_of_this_database_that_no_restore_made(tmp_path: Path) -> None:
    later = NOON + timedelta(days=1)
    write_archive(tmp_path / "old.qadb")
    write_archive(
        tmp_path / "other.qadb", manifest=make_manifest(database="sqlite:////x", taken_at=later)
    )
    write_archive(
        tmp_path / "replaced.qadb", manifest=make_manifest(purpose="restore", taken_at=later)
    )
    write_archive(tmp_path / "new.qadb", manifest=make_manifest(taken_at=NOON + timedelta(hours=1)))

    assert find_latest(tmp_path, SQLITE).name == "new.qadb"
    with pytest.raises(BackupNotFound, match="results"):
        find_latest(tmp_path, SERVER)


def test_a_note_counts_for_the_file_it_was_made_of_only(tmp_path: Path) -> None:
    path, moment = tmp_path / "a.qadb", datetime(2026, 5, 1, tzinfo=UTC)
    write_archive(path)
    mark_verified(path, "0" * 64, moment)
    assert read_backup(path).verified_at is None

    from qadb.backups.archive import ArchiveReader

    with ArchiveReader(path) as archive:
        mark_verified(path, archive.seal, moment)
    assert read_backup(path).verified_at == moment
    path.with_name("a.qadb.verified").write_text("{")
    assert read_backup(path).verified_at is None

    remove_backup(read_backup(path))
    assert names_in(tmp_path) == []
