"""Ingest by file: duplicates, bad files, labels, and what happens when something interferes."""

from __future__ import annotations

import gzip
import io
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from qadb.errors import ConfigurationError, EmptyDatabase, TransactionConflict
from qadb.operations import ingest_file
from qadb.operations.ci_environment import BuildFacts
from qadb.operations.ingest import IngestOptions
from qadb.repositories.ingesting.result_loader import ResultLoader
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
    from collections.abc import Iterable
    from pathlib import Path

    from qadb.database import Database
    from qadb.reports.records import ResultRecord


@pytest.fixture
def report(tmp_path: Path) -> Path:
    cases = [case("passes"), case("fails", FAILURE), case("is skipped", SKIPPED)]
    return write_report(tmp_path / "report.xml", *cases)


def test_report_becomes_a_run_with_its_results(migrated: Database, report: Path) -> None:
    file = load_one(migrated, report)

    assert (file.status, file.format, file.rows, file.error) == ("ingested", "junit", 3, None)
    run = fetch_rows(
        migrated,
        "SELECT r.id, r.run_key, a.code, r.status, r.result, total, passed, failed, errors, "
        "skipped FROM test_runs AS r JOIN applications AS a ON a.id = r.application_id",
    )
    key = file.run_key
    assert run == [(file.run_id, key, "default", "completed", "failure", 3, 1, 1, 0, 1)]
    results = "SELECT c.name, t.status, t.error_type, t.message, t.stack_trace FROM test_results t"
    assert fetch_rows(
        migrated, f"{results} JOIN test_cases c ON c.id = t.test_case_id ORDER BY c.id"
    ) == [
        ("passes", "passed", None, None, None),
        ("fails", "failed", "AssertionError", "assert 1 == 2", "at line 7"),
        ("is skipped", "skipped", None, "not today", None),
    ]


def test_same_file_again_adds_nothing_and_names_the_run(migrated: Database, report: Path) -> None:
    first = load_one(migrated, report)
    before = count_all(migrated)

    again = load_one(migrated, report)

    assert (again.status, again.rows) == ("duplicate", 0)
    assert (again.run_id, again.run_key) == (first.run_id, first.run_key)
    assert count_all(migrated) == before


def test_packed_file_is_the_same_as_the_plain_one(
    migrated: Database, report: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "report.xml.gz"
    packed.write_bytes(gzip.compress(report.read_bytes()))

    first, second = load(migrated, packed, report).files

    assert (first.status, second.status, second.run_id) == ("ingested", "duplicate", first.run_id)
    size = fetch_rows(migrated, "SELECT bytes, file_name FROM ingest_files")
    assert size == [(report.stat().st_size, str(packed))]


def test_bad_file_stops_no_other_and_leaves_no_row(migrated: Database, tmp_path: Path) -> None:
    good = write_report(tmp_path / "good.xml", case("a"))
    bad = tmp_path / "bad.xml"
    bad.write_text(suite([case("b"), case("c"), "</wrong>"]))
    last = write_report(tmp_path / "last.xml", case("d"))

    result = load(migrated, good, bad, last)

    assert [file.status for file in result.files] == ["ingested", "rejected", "ingested"]
    assert not result.is_complete
    assert str(result.files[1].error).startswith(f"{bad}:4: ")
    assert fetch_rows(migrated, "SELECT name FROM test_cases ORDER BY 1") == [("a",), ("d",)]
    assert count_all(migrated)["test_runs"] == 2


def test_other_files_of_a_folder_are_passed_over_and_named_ones_rejected(
    migrated: Database, report: Path
) -> None:
    coverage = report.with_name("coverage.xml")
    coverage.write_text('<?xml version="1.0"?>\n<coverage line-rate="1"/>\n')

    result = load(migrated, report.parent)
    named = load(migrated, report.parent, coverage)

    assert [file.file for file in result.files] == [str(report)]
    assert result.passed_over == (str(coverage),)
    assert result.is_complete
    assert {file.file: file.status for file in named.files} == {
        str(coverage): "rejected",
        str(report): "duplicate",
    }


def test_folder_with_nothing_but_other_files_is_a_failure(
    migrated: Database, tmp_path: Path
) -> None:
    (tmp_path / "coverage.xml").write_text("<coverage/>")

    result = load(migrated, tmp_path)

    assert (result.files, result.is_complete) == ((), False)


def test_labels_come_from_options_and_else_from_the_build(migrated: Database, report: Path) -> None:
    build = BuildFacts(
        service="gitlab",
        branch="feature/" + "x" * 300,
        commit_sha="c" * 65,
        build_url="https://ci.example.org/7",
        trigger="push" * 50,
    )
    options = IngestOptions(
        application="shop", environment="staging", commit_sha="abc", build=build, run_key="k"
    )

    load_one(migrated, report, options)
    load_one(migrated, report, IngestOptions(application="other", build=build))

    query = (
        "SELECT a.code, e.name, branch, commit_sha, build_url, trigger_type FROM test_runs r "
        "JOIN applications a ON a.id = r.application_id "
        "LEFT JOIN environments e ON e.id = r.environment_id ORDER BY r.id"
    )
    branch, trigger, url = build.branch, build.trigger, build.build_url
    assert branch is not None
    assert trigger is not None
    assert fetch_rows(migrated, query) == [
        ("shop", "staging", branch[:255], "abc", url, trigger[:100]),
        ("other", None, branch[:255], None, url, trigger[:100]),
    ]


def test_words_that_are_no_utf_8_are_stored_with_escapes(
    migrated: Database, tmp_path: Path
) -> None:
    report = write_report(tmp_path / "r\udcff.xml", case("a"))

    file = load_one(migrated, report, IngestOptions(branch="b\udcff"))

    assert file.status == "ingested"
    assert fetch_rows(migrated, "SELECT branch FROM test_runs") == [(r"b\udcff",)]
    ((name,),) = fetch_rows(migrated, "SELECT file_name FROM ingest_files")
    assert str(name).endswith(r"r\udcff.xml")


@pytest.mark.parametrize("from_stdin", [False, True])
def test_file_is_read_again_when_two_ingests_collide(
    migrated: Database, report: Path, monkeypatch: pytest.MonkeyPatch, *, from_stdin: bool
) -> None:
    load_records = ResultLoader.load
    collisions = 2

    def collide(loader: ResultLoader, records: Iterable[ResultRecord]) -> None:
        nonlocal collisions
        load_records(loader, records)
        collisions -= 1
        if collisions >= 0:
            raise TransactionConflict("a deadlock")

    monkeypatch.setattr(ResultLoader, "load", collide)
    monkeypatch.setattr(ingest_file, "CONFLICT_PAUSE_SECONDS", 0)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(report.read_bytes())))

    file = load_one(migrated, "-" if from_stdin else report)

    assert (file.status, file.rows, collisions) == ("ingested", 3, -1)
    assert count_all(migrated)["test_results"] == 3


def test_endless_collisions_reject_the_file(
    migrated: Database, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def collide(_loader: ResultLoader, _records: Iterable[ResultRecord]) -> None:
        raise TransactionConflict("a deadlock")

    monkeypatch.setattr(ResultLoader, "load", collide)
    monkeypatch.setattr(ingest_file, "CONFLICT_PAUSE_SECONDS", 0)

    file = load_one(migrated, report)

    assert (file.status, file.error) == ("rejected", f"{report}: a deadlock")


def test_file_that_grows_while_it_is_read_is_rejected(
    migrated: Database, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = count_all(migrated)
    load_records = ResultLoader.load

    def grow(loader: ResultLoader, records: Iterable[ResultRecord]) -> None:
        load_records(loader, records)
        with report.open("a") as file:
            file.write("\n")

    monkeypatch.setattr(ResultLoader, "load", grow)

    file = load_one(migrated, report)

    assert file.error == f"{report}: was written to while it was read"
    assert count_all(migrated) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (IngestOptions(branch="b" * 256), "--branch"),
        (IngestOptions(run_key=""), "--run-key"),
        (IngestOptions(application=""), "--application"),
        (IngestOptions(format="xunit9"), "--format"),
        (IngestOptions(tenant="nobody"), "tenant 'nobody'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(
    migrated: Database, report: Path, options: IngestOptions, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load_one(migrated, report, options)

    assert count_all(migrated)["test_runs"] == 0


def test_database_without_tables_is_refused_with_the_way_out(empty: Database, report: Path) -> None:
    empty.create()

    with pytest.raises(EmptyDatabase) as caught:
        load_one(empty, report)

    assert caught.value.hint == "Set it up with: qadb init"


def test_report_without_a_start_is_dated_now_with_a_warning(
    migrated: Database, tmp_path: Path
) -> None:
    before = datetime.now(UTC)

    file = load_one(migrated, write_report(tmp_path / "r.xml", case("a"), start=None))

    assert file.warnings == ("states no readable start; the run is dated now",)
    assert fetch_rows(migrated, "SELECT count(*) FROM test_runs WHERE ended_at > started_at") == [
        (1,)
    ]
    ((started_at,),) = fetch_rows(migrated, "SELECT started_at FROM test_runs")
    assert str(started_at)[:10] >= before.isoformat()[:10]
