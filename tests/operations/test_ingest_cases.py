"""Ingest by test: how a test is recognised, counted when it repeats, and kept apart from others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.operations.ingest import IngestOptions
from qadb.repositories.ingesting import result_loader
from tests.support.databases import execute, fetch_rows
from tests.support.report_files import (
    FAILURE,
    case,
    count_all,
    load,
    load_one,
    write_report,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from qadb.database import Database

OCCURRENCES = "SELECT max(occurrence), count(*), count(DISTINCT occurrence) FROM test_results"
DELETABLE = ("applications", "environments", "test_cases")
NAMES = "SELECT name FROM test_cases ORDER BY id"


def test_repeated_cases_are_numbered_across_batches(
    migrated: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_loader, "BATCH_RECORDS", 3)
    report = write_report(tmp_path / "r.xml", *[case("a"), case("b"), case("a"), case("c")] * 5)

    file = load_one(migrated, report)

    assert file.rows == 20
    numbers = (
        "SELECT c.name, min(occurrence), max(occurrence), count(*) FROM test_results t "
        "JOIN test_cases c ON c.id = t.test_case_id GROUP BY c.name ORDER BY 1"
    )
    assert fetch_rows(migrated, numbers) == [("a", 1, 10, 10), ("b", 1, 5, 5), ("c", 1, 5, 5)]


def test_known_cases_that_repeat_across_batches_are_numbered_too(
    migrated: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_loader, "BATCH_RECORDS", 2)
    monkeypatch.setattr(result_loader, "_SLOTS", 1)  # every case may have occurred
    load_one(migrated, write_report(tmp_path / "first.xml", case("a"), case("b")))

    file = load_one(migrated, write_report(tmp_path / "r.xml", *[case("a"), case("b")] * 4))

    where = f"WHERE run_id = {file.run_id}"
    assert fetch_rows(migrated, f"{OCCURRENCES} {where}") == [(4, 8, 4)]


def test_texts_fill_a_batch_before_it_has_many_records(
    migrated: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_loader, "BATCH_CHARS", 100)
    failure = f"<failure>{'x' * 90}</failure>"

    file = load_one(migrated, write_report(tmp_path / "r.xml", *[case("a", failure)] * 7))

    assert file.rows == 7
    assert fetch_rows(migrated, OCCURRENCES) == [(7, 7, 7)]


def test_unnamed_cases_by_the_ten_thousand_are_kept(migrated: Database, tmp_path: Path) -> None:
    report = tmp_path / "r.xml"
    report.write_text(f"<testsuite name='s'>{'<testcase/>' * 40_000}</testsuite>")

    assert load_one(migrated, report).rows == 40_000
    assert fetch_rows(migrated, OCCURRENCES) == [(40_000, 40_000, 40_000)]


def test_retries_are_attempts_of_which_the_last_is_final(
    migrated: Database, tmp_path: Path
) -> None:
    flaky = '<flakyFailure message="first">x</flakyFailure><flakyError message="second"/>'
    rerun = f'{FAILURE}<rerunFailure message="again">y</rerunFailure>'
    report = write_report(tmp_path / "r.xml", case("flaky", flaky), case("broken", rerun))

    file = load_one(migrated, report)

    assert (file.totals.total, file.totals.passed, file.totals.failed, file.rows) == (2, 1, 1, 5)
    attempts = (
        "SELECT c.name, attempt, status, is_final FROM test_results t "
        "JOIN test_cases c ON c.id = t.test_case_id ORDER BY c.id, attempt"
    )
    assert [(*row[:3], bool(row[3])) for row in fetch_rows(migrated, attempts)] == [
        ("flaky", 1, "failed", False),
        ("flaky", 2, "error", False),
        ("flaky", 3, "passed", True),
        ("broken", 1, "failed", False),
        ("broken", 2, "failed", True),
    ]


def test_very_long_names_are_kept_whole_and_told_apart(migrated: Database, tmp_path: Path) -> None:
    names = ["n" * 10_000, "n" * 9_999 + "m", "s" * 500 + "1", "s" * 500 + "2", "é" * 10_000]
    cases = [case(name) for name in names]

    load_one(migrated, write_report(tmp_path / "1.xml", *cases))
    load_one(migrated, write_report(tmp_path / "2.xml", *cases, start=None))

    assert fetch_rows(migrated, NAMES) == [(name,) for name in names]
    assert count_all(migrated)["test_results"] == 10


def test_separators_inside_names_do_not_mix_tests_up(migrated: Database, tmp_path: Path) -> None:
    cases = [
        case("c", classname="a::b"),
        case("b::c", classname="a"),
        case("c", classname="a::b:"),
        case("c#", classname="a::b"),
    ]

    load_one(migrated, write_report(tmp_path / "r.xml", *cases))

    assert count_all(migrated)["test_cases"] == 4


def test_deleted_rows_are_revived_when_they_are_met_again(
    migrated: Database, tmp_path: Path
) -> None:
    options = IngestOptions(application="shop", environment="ci-1")
    first = write_report(tmp_path / "1.xml", case("a"), case("b"))
    second = write_report(tmp_path / "2.xml", case("b"), case("c"), start=None)
    load_one(migrated, first, options)
    before = [fetch_rows(migrated, f"SELECT id FROM {table}") for table in DELETABLE]
    for table in DELETABLE:
        execute(migrated, f"UPDATE {table} SET deleted_at = created_at")

    load_one(migrated, second, options)

    live = "SELECT name FROM test_cases WHERE deleted_at IS NULL ORDER BY 1"
    assert fetch_rows(migrated, live) == [("b",), ("c",)]
    assert [fetch_rows(migrated, f"SELECT id FROM {table}") for table in DELETABLE[:2]] == before[
        :2
    ]
    assert count_all(migrated)["test_cases"] == 3


def test_applications_with_equal_tests_stay_apart(migrated: Database, tmp_path: Path) -> None:
    report = write_report(tmp_path / "r.xml", case("a"))

    files = [load_one(migrated, report, IngestOptions(application=code)) for code in ("x", "y")]

    assert [file.status for file in files] == ["ingested", "ingested"]
    counts = count_all(migrated)
    assert (counts["applications"], counts["test_cases"], counts["test_runs"]) == (2, 2, 2)
    owners = (
        "SELECT a.code, t.case_key FROM test_cases t JOIN applications a "
        "ON a.id = t.application_id ORDER BY 1"
    )
    assert fetch_rows(migrated, owners) == [
        ("x", "x::suite::pkg.Tests::a"),
        ("y", "y::suite::pkg.Tests::a"),
    ]


def test_tenants_stay_apart(migrated: Database, tmp_path: Path) -> None:
    execute(migrated, "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")
    report = write_report(tmp_path / "r.xml", case("a", FAILURE))

    own = load_one(migrated, report, IngestOptions(environment="e"))
    theirs = load_one(migrated, report, IngestOptions(tenant="acme", environment="e"))

    assert (own.status, theirs.status) == ("ingested", "ingested")
    assert own.run_id != theirs.run_id
    for table in (*DELETABLE, "test_runs", "test_results", "ingest_files"):
        rows = fetch_rows(migrated, f"SELECT tenant_id FROM {table} ORDER BY 1")
        assert (table, rows) == (table, [("acme",), ("default",)])


def test_time_in_which_a_test_was_seen_widens_both_ways(migrated: Database, tmp_path: Path) -> None:
    for day in (20, 22, 18):
        start = f"2026-11-{day}T10:00:00Z"
        load_one(migrated, write_report(tmp_path / f"{day}.xml", case("a"), start=start))

    ((first, last),) = fetch_rows(migrated, "SELECT first_seen_at, last_seen_at FROM test_cases")
    assert (str(first)[:10], str(last)[:10]) == ("2026-11-18", "2026-11-22")


def test_every_script_is_stored_as_it_was_written(migrated: Database, tmp_path: Path) -> None:
    names = [
        "emoji 🧪🔥",
        "עברית",
        "日本語",
        "e\u0301 and é",
        "a\t\\N \\t 'b' \"c\"",
        "a\x85b\u2028c",
    ]
    failure = '<failure message="a&#10;b\\">\\N\n\\.\n\t🔥</failure>'
    cases = [*map(case, names), case("fails", failure)]

    load(migrated, write_report(tmp_path / "r.xml", *cases))

    assert fetch_rows(migrated, NAMES) == [*((name,) for name in names), ("fails",)]
    texts = "SELECT message, stack_trace FROM test_results WHERE status = 'failed'"
    assert fetch_rows(migrated, texts) == [("a\nb\\", "\\N\n\\.\n\t🔥")]
