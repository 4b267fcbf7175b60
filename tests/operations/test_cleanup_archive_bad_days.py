"""An archive that can't be written: one sentence, and nothing is gone that is not in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow.parquet
import pytest

from qadb.errors import ConfigurationError, InsufficientPrivilege, QadbError
from qadb.operations.cleanup import CleanupOptions, cleanup
from qadb.operations.init import init_database
from tests.operations.test_backup_no_room import run_limited
from tests.support.aged import NOW, add_every_kind, add_runs
from tests.support.databases import execute, fetch_rows, open_database
from tests.support.unprivileged import as_nobody, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database
    from tests.support.program import Program

OPTIONS = CleanupOptions(now=NOW)
SMALL, LARGE = 12, 400  # KiB: small tables fit; all do
WRITE_MUCH = (
    "UPDATE test_results SET stack_trace = (SELECT string_agg(md5(random()::text || n), '')"
)


@pytest.fixture
def served(postgresql_url: str) -> Iterator[Database]:
    with open_database(postgresql_url) as database:
        init_database(database)
        yield database


def ids(database: Database, table: str) -> set[int]:
    return {int(str(row[0])) for row in fetch_rows(database, f"SELECT id FROM {table}")}


def archived_ids(folder: Path, table: str) -> set[int]:
    return {
        row["id"]
        for path in folder.glob(f"{table}-*.parquet")
        for row in pyarrow.parquet.read_table(path, columns=["id"]).to_pylist()
    }


def check_that_nothing_is_lost(
    database: Database, before: dict[str, set[int]], folder: Path
) -> None:
    assert not [path for path in folder.iterdir() if "partial" in path.name]
    for table, former in before.items():
        assert former - ids(database, table) <= archived_ids(folder, table)


def test_disk_that_is_full_loses_nothing(
    served: Database, postgresql_url: str, qadb: Program, tmp_path: Path
) -> None:
    """The server writes where it likes; only this program's files are limited."""
    folder = tmp_path / "archive"
    add_every_kind(served)
    execute(served, f"{WRITE_MUCH} FROM generate_series(1, 900) AS n WHERE run_id > 0)")
    before = {table: ids(served, table) for table in ("test_runs", "message_history")}
    words = ("cleanup", "--yes", "--archive", str(folder), "--database-url", postgresql_url)

    refused = run_limited(qadb, SMALL, *words)
    check_that_nothing_is_lost(served, before, folder)
    done = run_limited(qadb, LARGE, *words)
    check_that_nothing_is_lost(served, before, folder)

    assert (refused.exit_code, done.exit_code) == (1, 0), (refused, done)
    assert "test_results-" in refused.stderr
    assert "can't be written: File too large." in refused.stderr
    assert "qadb cleanup --archive DIR" in refused.stderr
    assert len(refused.stderr.splitlines()) == 2, refused.stderr
    assert len(ids(served, "test_runs")) == 1


def test_folder_without_rights_is_named_and_nothing_goes(served: Database) -> None:
    add_runs(served, 200)
    with open_folder() as folder:
        folder.chmod(0o555)
        with as_nobody(), pytest.raises(InsufficientPrivilege) as caught:
            cleanup(served, replace(OPTIONS, archive=folder))

    assert f"{folder}/test_runs-" in str(caught.value)
    assert caught.value.hint is not None
    assert "qadb cleanup --archive DIR" in caught.value.hint
    assert "BACKUP" not in caught.value.hint
    assert len(ids(served, "test_runs")) == 1


def test_file_where_the_folder_should_be_is_refused_before_anything_goes(
    migrated: Database, tmp_path: Path
) -> None:
    add_runs(migrated, 200)
    place = tmp_path / "notes.txt"
    place.write_text("mine")

    with pytest.raises(ConfigurationError) as caught:
        cleanup(migrated, replace(OPTIONS, archive=place))

    assert str(place) in str(caught.value)
    assert place.read_text() == "mine"
    assert len(ids(migrated, "test_runs")) == 1


def test_folder_is_made_with_those_above_it_and_is_its_owners_alone(
    migrated: Database, tmp_path: Path
) -> None:
    add_runs(migrated, 200)
    folder = tmp_path / "one" / "two"

    report = cleanup(migrated, replace(OPTIONS, archive=folder))

    assert report.archived
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.name for path in folder.iterdir()} == {path.name for path in report.archived}


def test_nothing_is_written_where_nothing_goes(migrated: Database, tmp_path: Path) -> None:
    add_runs(migrated, 200, is_protected=True)
    folder = tmp_path / "archive"

    report = cleanup(migrated, replace(OPTIONS, archive=folder))

    assert report.tables["test_runs"].kept == {"protected": 1}
    assert report.archived == ()
    assert not folder.exists()


def test_every_file_is_in_the_manifest_with_its_rows(migrated: Database, tmp_path: Path) -> None:
    add_every_kind(migrated)
    folder = tmp_path / "archive"

    report = cleanup(migrated, replace(OPTIONS, archive=folder))

    manifest = json.loads(report.archived[-1].read_text())
    rows: dict[str, int] = {}
    for file in manifest["files"]:
        found = pyarrow.parquet.read_metadata(folder / file["file"]).num_rows
        assert found == file["rows"]
        rows[file["table"]] = rows.get(file["table"], 0) + found
    assert rows == {name: t.deleted for name, t in report.tables.items() if t.deleted}
    assert "test_case_features" in rows


def test_runs_written_but_not_deleted_are_written_again_beside(
    migrated: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = add_runs(migrated, 200)
    folder = tmp_path / "archive"

    def refuse(*_: object, **__: object) -> None:
        raise QadbError("not now")

    monkeypatch.setattr("qadb.cleaning.deleting.Deleter.delete", refuse)
    with pytest.raises(QadbError, match="not now"):
        cleanup(migrated, replace(OPTIONS, archive=folder))
    monkeypatch.undo()
    first = {path.name: path.read_bytes() for path in folder.iterdir()}

    cleanup(migrated, replace(OPTIONS, archive=folder))

    assert {name: (folder / name).read_bytes() for name in first} == first
    assert archived_ids(folder, "test_runs") == {run}
    assert len([*folder.glob("test_runs-*.parquet")]) == 2
