"""Making a backup: one moment, whole, published at once, written down; the old ones go last."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.backups.archive import ArchiveReader
from qadb.backups.folder import list_backups
from qadb.backups.rotation import KeepRules
from qadb.errors import (
    BackupDamaged,
    ConfigurationError,
    EmptyDatabase,
    LockNotAvailable,
    UnmanagedDatabase,
)
from qadb.operations.backup import BackupOptions, create_backup, plan_backup
from qadb.operations.status import read_status
from qadb.operations.verify import verify_backup
from tests.support.databases import execute, fetch_rows, open_database, sqlite_file

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database
    from qadb.progress import ProgressEvent

PAIRS = "CREATE TABLE pairs (id INTEGER PRIMARY KEY, side VARCHAR(5) NOT NULL)"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for backups that is not there yet."""
    return tmp_path / "backups"


def test_a_backup_says_what_it_holds_and_verifies(migrated: Database, place: Path) -> None:
    result = create_backup(migrated, place, BackupOptions(verify=True))

    assert result.is_verified
    assert result.manifest.revision == read_status(migrated).database.revision
    assert result.manifest.tables["countries"] == 249
    assert result.manifest.engine == migrated.url.engine
    assert result.size_bytes == result.path.stat().st_size < result.manifest.size_bytes
    assert verify_backup(migrated, result.path, jobs=2).sha256 == result.sha256
    assert [b.verified_at is not None for b in list_backups(place)] == [True]
    assert not [name for name in names_in(place) if name.startswith(".")]


def test_the_history_and_the_status_know_of_it(migrated: Database, place: Path) -> None:
    result = create_backup(migrated, place)

    status = read_status(migrated)
    assert result.is_recorded
    assert status.last_backup == result.manifest.taken_at
    assert (status.history[-1].operation, status.history[-1].backup) == ("backup", str(result.path))


def test_it_shows_one_moment_while_somebody_writes_all_the_time(
    migrated: Database, place: Path
) -> None:
    """Rows come in pairs, one transaction each: a backup with half a pair shows two moments."""
    execute(migrated, PAIRS)
    stop, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        with open_database_again(migrated) as writer:
            while not stop.is_set():
                execute(
                    writer,
                    f"INSERT INTO pairs (id, side) VALUES ({2 * written}, 'left')",
                    f"INSERT INTO pairs (id, side) VALUES ({2 * written + 1}, 'right')",
                )
                written += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while written < 10:
            stop.wait(0.01)
        before = written
        results = [create_backup(migrated, place, BackupOptions(verify=True)) for _ in range(3)]
    finally:
        stop.set()
        thread.join()

    rows = [result.manifest.tables["pairs"] for result in results]
    assert all(count % 2 == 0 for count in rows)
    assert 2 * before <= rows[0] < rows[1] < rows[2] <= 2 * written


def open_database_again(database: Database) -> Database:
    return type(database)(database.url, database.schema)


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_every_compression_verifies(migrated: Database, place: Path, compression: str) -> None:
    options = BackupOptions(compression, jobs=1, verify=True)  # type: ignore[arg-type]  # parametrized

    assert create_backup(migrated, place, options).manifest.compression == compression


def test_an_empty_or_absent_database_has_nothing_to_save(empty: Database, place: Path) -> None:
    with pytest.raises(EmptyDatabase):
        create_backup(empty, place)
    empty.create()
    with pytest.raises(EmptyDatabase):
        create_backup(empty, place)

    assert not place.exists() or not names_in(place)


def test_what_is_not_ours_is_left_to_its_owner(empty: Database, place: Path) -> None:
    empty.create()
    execute(empty, PAIRS)

    with pytest.raises(UnmanagedDatabase):
        create_backup(empty, place)


def test_a_database_ahead_of_this_qadb_can_be_saved(migrated: Database, place: Path) -> None:
    execute(migrated, "UPDATE qadb_version SET version_num = '999'")

    assert create_backup(migrated, place, BackupOptions(verify=True)).manifest.revision == "999"


def test_a_file_that_is_there_is_not_replaced(migrated: Database, place: Path) -> None:
    create_backup(migrated, place / "x.qadb")
    before = (place / "x.qadb").read_bytes()

    with pytest.raises(ConfigurationError, match="replaces nothing"):
        create_backup(migrated, place / "x.qadb")

    assert (place / "x.qadb").read_bytes() == before


def test_rotation_removes_older_ones_of_this_database_only(
    migrated: Database, place: Path, tmp_path: Path
) -> None:
    with open_database(f"sqlite:///{tmp_path / 'other.sqlite3'}") as other:
        from qadb.operations.init import init_database

        init_database(other)
        kept_of_other = create_backup(other, place).path
    older = [create_backup(migrated, place).path for _ in range(3)]
    (place / "broken.qadb").write_bytes(b"half")
    (place / "notes.txt").write_text("mine")

    planned = plan_backup(migrated, place, BackupOptions(keep=KeepRules(last=2)))
    result = create_backup(migrated, place, BackupOptions(keep=KeepRules(last=2)))

    assert planned.removed == result.removed == tuple(older[:2])
    assert result.is_verified
    there = {path.name for path in place.iterdir() if path.suffix != ".verified"}
    assert there == {
        older[2].name,
        result.path.name,
        kept_of_other.name,
        "broken.qadb",
        "notes.txt",
    }


def test_a_plan_writes_nothing(migrated: Database, place: Path) -> None:
    plan = plan_backup(migrated, place)

    assert plan.manifest.tables["countries"] == 249
    assert not place.exists()
    assert read_status(migrated).last_backup is None


def test_a_backup_that_does_not_verify_gets_no_name_and_removes_nothing(
    migrated: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = create_backup(migrated, place).path

    def read_broken(self: ArchiveReader, on_bytes: object = None) -> str:
        raise BackupDamaged(f"{self.path} is damaged.")

    monkeypatch.setattr(ArchiveReader, "check_seal", read_broken)
    with pytest.raises(BackupDamaged):
        create_backup(migrated, place, BackupOptions(keep=KeepRules(last=1)))

    assert names_in(place) == [older.name]


def test_a_second_operation_waits_or_gives_up(migrated: Database, place: Path) -> None:
    with migrated.exclusive(wait_seconds=0, on_wait=lambda _: None):
        other = open_database_again(migrated)
        with other, pytest.raises(LockNotAvailable):
            create_backup(other, place, wait_lock_seconds=0.3)


def test_progress_tells_of_bytes_up_to_the_end(migrated: Database, place: Path) -> None:
    events: list[ProgressEvent] = []

    def note(event: ProgressEvent) -> None:
        events.append(event)

    create_backup(migrated, place, BackupOptions(verify=True), progress=note)

    assert {event.unit for event in events} == {"bytes"}
    written = [event for event in events if event.label == "Writing"]
    assert written[-1].done > 0
    assert [e.done for e in written] == sorted(e.done for e in written)


def test_verifying_finds_a_broken_page_and_a_row_that_points_at_none(
    sqlite_url: str, place: Path
) -> None:
    with open_database(sqlite_url) as database:
        from qadb.operations.init import init_database

        init_database(database)
        with closing(sqlite3.connect(sqlite_file(sqlite_url))) as raw:
            raw.execute("INSERT INTO role_permissions (role_id, permission_id) VALUES (999, 999)")
            raw.commit()
        with pytest.raises(BackupDamaged, match="points at a row"):
            create_backup(database, place, BackupOptions(verify=True))
        assert names_in(place) == []
        create_backup(database, place)  # one that nobody wants proven saves what is there


def test_counts_are_those_of_every_table(migrated: Database, place: Path) -> None:
    result = create_backup(migrated, place)

    for table, rows in result.manifest.tables.items():
        if table != "qadb_history":  # it has this backup by now
            assert fetch_rows(migrated, f'SELECT count(*) FROM "{table}"') == [(rows,)]


def test_a_leftover_of_a_killed_backup_is_told_of_and_removed(
    migrated: Database, place: Path
) -> None:
    left = place / ".old.qadb.0123.partial"
    left.mkdir(parents=True)
    (left / "lock").write_text("")
    said: list[str] = []

    create_backup(migrated, place, notify=said.append)

    assert not left.exists()
    assert [line for line in said if "old.qadb" in line]


def test_a_manifest_shows_no_password(migrated: Database, place: Path) -> None:
    database = open_database_again(migrated)
    with database:
        result = create_backup(database, place)
    with ArchiveReader(result.path) as archive:
        text_of_it = archive.manifest.to_bytes().decode()

    assert migrated.url.shown in text_of_it
    assert not [secret for secret in migrated.url.secrets if secret in text_of_it]


def test_reading_in_the_middle_of_a_backup_stays_possible(migrated: Database, place: Path) -> None:
    seen: list[int] = []

    def read(event: ProgressEvent) -> None:
        if event.label == "Writing" and not seen:
            with open_database_again(migrated) as reader, reader.connect() as connection:
                connection.execute(text("UPDATE countries SET name = name"))
                seen.append(1)

    create_backup(migrated, place, progress=read)

    assert seen == [1]
