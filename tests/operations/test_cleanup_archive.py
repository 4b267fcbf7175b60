"""What goes is in Parquet before, with the schema's types, and nothing is ever replaced."""

from __future__ import annotations

import hashlib
import importlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet
import pytest

from qadb.cleaning import archive as archive_module
from qadb.cleaning import parquet as parquet_module
from qadb.errors import ConfigurationError, QadbError
from qadb.operations.cleanup import CleanupOptions, cleanup, plan_cleanup
from tests.operations.cleanup_scene import NOW, expected_to_go, fill, key_of, read_all
from tests.support.databases import execute, fetch_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from sqlalchemy import Connection

    from qadb.cleaning.subjects import Subject
    from qadb.database import Database

OPTIONS = CleanupOptions(now=NOW)

LATE_CHANGES = {
    1: "UPDATE test_runs SET branch = 'late' WHERE id = 1",
    9: "INSERT INTO test_results (run_id, test_case_id, attempt, status)"
    " VALUES (9, 1, 2, 'passed')",
}


@pytest.fixture
def scene(migrated: Database) -> Database:
    """Something of every kind."""
    fill(migrated)
    return migrated


@pytest.fixture
def archiving(tmp_path: Path) -> CleanupOptions:
    """With an archive."""
    return CleanupOptions(now=NOW, archive=tmp_path / "archive")


def test_the_archive_holds_all_that_went_month_by_month(
    scene: Database, archiving: CleanupOptions
) -> None:
    before = read_all(scene)
    going = expected_to_go(before)

    plan, report = plan_cleanup(scene, OPTIONS), cleanup(scene, archiving)

    assert report.tables == plan.tables
    *files, manifest = report.archived
    found: dict[str, list[dict[str, object]]] = {}
    for path in files:
        table, _, period = path.stem.partition("-")
        rows = pyarrow.parquet.read_table(path).to_pylist()
        found.setdefault(table, []).extend(rows)
        if table == "test_runs":
            assert {f"{row['started_at']:%Y-%m}" for row in rows} == {period}
    assert {t: {key_of(t, _row(t, r)) for r in rows} for t, rows in found.items()} == {
        table: {tuple(map(_plain, key)) for key in keys} for table, keys in going.items() if keys
    }
    stated = {each["file"]: each for each in json.loads(manifest.read_text())["files"]}
    assert {path.name for path in files} == set(stated)
    for path in files:
        content = path.read_bytes()
        assert stated[path.name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert path.stat().st_mode & 0o777 == 0o600


def _plain(value: object) -> object:
    return value if isinstance(value, (int, str)) else str(value)


def _row(table: str, row: dict[str, object]) -> dict[str, object]:
    return {name: _plain(value) for name, value in row.items()} if "exec" in table else row


def test_values_keep_their_types(scene: Database, archiving: CleanupOptions) -> None:
    (former,) = [row for row in read_all(scene)["ingest_files"] if row["run_id"] == 1]

    report = cleanup(scene, archiving)

    by_table = {path.name.partition("-")[0]: path for path in reversed(report.archived)}
    results = pyarrow.parquet.read_table(by_table["test_results"])
    types = {field.name: field.type for field in results.schema}
    assert types["run_id"] == pa.int64()
    assert types["duration_ms"] == pa.decimal128(12, 3)
    assert types["executed_at"] == pa.timestamp("us", tz="UTC")
    assert results.to_pylist()[0]["duration_ms"] == Decimal("1.000")
    assert results.to_pylist()[1]["message"] == "é\né\n"
    (file,) = pyarrow.parquet.read_table(by_table["ingest_files"]).to_pylist()[:1]
    assert json.loads(file["warnings"]) == ["a", {"b": 1}]
    assert file["created_at"] == former["created_at"]


def test_a_later_archive_stands_beside_the_former(
    scene: Database, archiving: CleanupOptions
) -> None:
    execute(scene, "UPDATE test_runs SET is_protected = true WHERE id = 1")
    first = cleanup(scene, archiving).archived
    before = {path: path.read_bytes() for path in first}
    execute(scene, "UPDATE test_runs SET is_protected = false")

    second = cleanup(scene, archiving).archived

    assert {path: path.read_bytes() for path in first} == before
    assert not {*first} & {*second}


def test_nothing_is_deleted_when_the_file_does_not_hold_what_was_written(
    scene: Database, archiving: CleanupOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_all(scene)
    genuine = parquet_module.TableFile.write

    def lose_a_row(file: parquet_module.TableFile, rows: list[object]) -> None:
        genuine(file, rows[1:])  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr(parquet_module.TableFile, "write", lose_a_row)

    with pytest.raises(QadbError, match="does not hold what was written"):
        cleanup(scene, archiving)

    assert read_all(scene) == before
    assert archiving.archive is not None
    assert list(archiving.archive.iterdir()) == []


def test_what_changed_since_it_was_archived_stays(
    scene: Database, archiving: CleanupOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = archive_module.Archive.write

    def write_then_change(
        archive: archive_module.Archive,
        connection: Connection,
        subject: Subject,
        period: str,
        keys: Sequence[int],
    ) -> archive_module.Archived:
        archived = genuine(archive, connection, subject, period, keys)
        if subject.name == "test_runs":
            for run, statement in LATE_CHANGES.items():
                if run in keys:
                    execute(scene, statement)
        return archived

    monkeypatch.setattr(archive_module.Archive, "write", write_then_change)

    report = cleanup(scene, archiving)

    assert report.tables["test_runs"].kept["changed"] >= 2
    assert fetch_rows(scene, "SELECT id FROM test_runs WHERE id IN (1, 9) ORDER BY 1") == [
        (1,),
        (9,),
    ]
    assert fetch_rows(scene, "SELECT count(*) FROM test_results WHERE run_id = 9") == [(3,)]
    monkeypatch.undo()
    assert cleanup(scene, archiving).tables["test_runs"].deleted >= 2


def test_without_pyarrow_it_says_how_to_install_it(
    scene: Database, archiving: CleanupOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = importlib.import_module

    def refuse(name: str, package: str | None = None) -> ModuleType:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return genuine(name, package)

    monkeypatch.setattr(parquet_module, "import_module", refuse)

    with pytest.raises(ConfigurationError) as caught:
        cleanup(scene, archiving)

    assert caught.value.hint == "Install it with: pip install 'qadb[archive]'"
    assert fetch_rows(scene, "SELECT count(*) FROM test_runs") == [(40,)]
