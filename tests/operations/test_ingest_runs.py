"""Ingest by run: files that share one, and runs whose content is replaced."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from qadb.operations.ingest import IngestedFile, IngestOptions
from tests.support.databases import fetch_rows
from tests.support.report_files import (
    FAILURE,
    SKIPPED,
    case,
    count_all,
    load,
    load_one,
    suite,
    write_report,
)

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

NIGHTLY = IngestOptions(run_key="nightly")


@pytest.fixture
def report(tmp_path: Path) -> Path:
    cases = [case("passes"), case("fails", FAILURE), case("is skipped", SKIPPED)]
    return write_report(tmp_path / "report.xml", *cases)


def test_replace_swaps_what_the_run_holds_and_keeps_the_run(
    migrated: Database, report: Path
) -> None:
    first = load_one(migrated, report, NIGHTLY)
    write_report(report, case("passes"), start="2026-11-21T10:00:00Z")

    second = load_one(migrated, report, IngestOptions(run_key="nightly", replace=True))

    assert (second.status, second.run_id, second.rows) == ("replaced", first.run_id, 1)
    counts = count_all(migrated)
    assert (counts["test_runs"], counts["test_results"], counts["ingest_files"]) == (1, 1, 1)
    assert totals_of(migrated, second) == (1, 1, 0, 0, 0)
    run = "SELECT result, started_at FROM test_runs"
    ((result, started_at),) = fetch_rows(migrated, run)
    assert (result, str(started_at)[:10]) == ("success", "2026-11-21")


def test_replace_without_a_key_swaps_the_file_where_it_is(migrated: Database, report: Path) -> None:
    first = load_one(migrated, report, NIGHTLY)

    again = load_one(migrated, report, IngestOptions(replace=True, branch="main"))

    assert (again.status, again.run_id, again.run_key) == ("replaced", first.run_id, "nightly")
    assert fetch_rows(migrated, "SELECT branch FROM test_runs") == [("main",)]
    assert count_all(migrated)["test_results"] == 3


def test_replace_takes_no_file_out_of_a_run_of_several(
    migrated: Database, report: Path, tmp_path: Path
) -> None:
    other = write_report(tmp_path / "other.xml", case("other"))
    load(migrated, report, other, options=NIGHTLY)
    before = count_all(migrated)

    file = load_one(migrated, report, IngestOptions(replace=True))

    assert file.status == "rejected"
    assert file.hint == "Replace them together, with --run-key nightly"
    assert count_all(migrated) == before


def test_replace_with_several_files_empties_the_run_once(
    migrated: Database, report: Path, tmp_path: Path
) -> None:
    other = write_report(tmp_path / "other.xml", case("other"))
    options = IngestOptions(run_key="nightly", replace=True)
    load(migrated, report, other, options=options)

    first, second = load(migrated, report, other, options=options).files

    assert (first.status, second.status) == ("replaced", "ingested")
    assert totals_of(migrated, first) == (4, 2, 1, 0, 1)
    assert count_all(migrated)["ingest_files"] == 2


def test_failed_replace_keeps_what_was_there(migrated: Database, report: Path) -> None:
    load_one(migrated, report, NIGHTLY)
    before = count_all(migrated)
    report.write_text(suite([case("new"), "<testcase"]))

    file = load_one(migrated, report, IngestOptions(run_key="nightly", replace=True))

    assert file.status == "rejected"
    assert count_all(migrated) == before
    assert fetch_rows(migrated, "SELECT total FROM test_runs") == [(3,)]


def test_run_key_joins_files_with_their_totals_and_times(
    migrated: Database, tmp_path: Path
) -> None:
    late = write_report(
        tmp_path / "late.xml",
        case("a", seconds="60"),
        case("b", FAILURE),
        start="2026-11-20T12:00:00Z",
    )
    early = write_report(tmp_path / "early.xml", case("a"), start="2026-11-20T09:00:00Z")
    undated = write_report(tmp_path / "undated.xml", case("a", SKIPPED), start=None)

    files = load(migrated, late, early, undated, options=NIGHTLY).files

    assert [(file.status, file.run_key) for file in files] == [("ingested", "nightly")] * 3
    assert len({file.run_id for file in files}) == 1
    assert totals_of(migrated, files[0]) == (4, 2, 1, 0, 1)
    ((began_at, over_at, seconds),) = fetch_rows(
        migrated, "SELECT started_at, ended_at, duration_seconds FROM test_runs"
    )
    assert (str(began_at)[11:16], str(over_at)[11:16]) == ("09:00", "12:01")
    per_second = 1000 if migrated.backend.name == "sqlite" else 1
    assert float(str(seconds)) == 10_860.25 * per_second


def test_same_case_in_two_files_of_a_run_is_a_further_occurrence(
    migrated: Database, tmp_path: Path
) -> None:
    first = write_report(tmp_path / "1.xml", case("a"), case("a"))
    second = write_report(tmp_path / "2.xml", case("a"))

    load(migrated, first, second, options=NIGHTLY)

    rows = fetch_rows(migrated, "SELECT occurrence FROM test_results ORDER BY 1")
    assert rows == [(1,), (2,), (3,)]
    assert count_all(migrated)["test_cases"] == 1


def test_files_dated_decades_apart_can_be_one_run(migrated: Database, tmp_path: Path) -> None:
    old = write_report(tmp_path / "old.xml", case("a"), start="1971-01-01T00:00:00Z")
    new = write_report(tmp_path / "new.xml", case("a"), start="2026-01-01T00:00:00Z")

    files = load(migrated, old, new, options=NIGHTLY).files

    assert [file.status for file in files] == ["ingested", "ingested"]
    assert fetch_rows(migrated, "SELECT duration_seconds FROM test_runs") == [(None,)]


def totals_of(database: Database, file: IngestedFile) -> tuple[object, ...]:
    names = ", ".join(asdict(file.totals))
    (row,) = fetch_rows(database, f"SELECT {names} FROM test_runs WHERE id = {file.run_id}")
    return row
