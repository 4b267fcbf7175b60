"""`qadb stats`: its text, its document, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from qadb.cli.app import app
from tests.cli.conftest import read_json
from tests.support.databases import open_database
from tests.support.report_files import FAILURE, SKIPPED, case, load_one, write_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qadb.database import Database

ALWAYS = "36500"


@pytest.fixture
def database(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("QADB_DATABASE_URL", migrated_url)
    with open_database(migrated_url) as opened:
        yield opened


@pytest.fixture
def loaded(database: Database, tmp_path: Path) -> Database:
    cases = [case("a", seconds="2"), case("b", FAILURE), case("c", SKIPPED)]
    load_one(database, write_report(tmp_path / "r.xml", *cases, start="2020-02-02T10:00:00Z"))
    return database


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["stats", *words])


def test_text_shows_tables_figures_and_tests(loaded: Database) -> None:
    result = run("--days", ALWAYS)

    assert (result.exit_code, result.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == f"Database: {loaded.url.shown}"
    assert any(line.startswith("test_results 3 ") for line in lines)
    assert [
        line for line in lines if line.startswith(("Runs", "Results", "Passed", "Pass rate"))
    ] == [
        "Runs: 1 (0 successful, 1 not)",
        "Results: 3",
        "Passed: 1",
        "Pass rate: 50.0 % of those that ran",
    ]
    slowest = lines[lines.index("Slowest tests") + 2]
    assert slowest == "2.0 s 2.0 s 1 pkg.Tests a"
    failing = lines[lines.index("Most failing tests") + 2]
    assert failing.startswith("1 of 1 100.0 % 2020-02-0")
    assert failing.endswith(" pkg.Tests b")


def test_document_has_every_field(loaded: Database) -> None:
    document = read_json(run("--days", ALWAYS, "--json").stdout)

    assert {"days", "since", "tenant", "size_bytes"} <= set(document)
    names = set(loaded.schema.metadata.tables)
    assert {table["name"] for table in document["tables"]} == names
    assert set(document["tables"][0]) == {"name", "rows", "rows_are_exact", "size_bytes"}
    assert document["runs"] == {
        "total": 1, "successful": 0, "failed": 1, "newest_started_at": "2020-02-02T10:00:00Z",
    }  # fmt: skip
    assert document["results"] == {
        "total": 3, "passed": 1, "failed": 1, "errors": 0, "skipped": 1, "timeout": 0,
        "pass_rate": 0.5,
    }  # fmt: skip
    slow, failing = document["slowest"][0], document["most_failing"][0]
    assert (slow["name"], slow["mean_ms"]) == ("a", 2000.0)
    assert (failing["name"], failing["failures"], failing["failure_rate"]) == ("b", 1, 1.0)
    assert failing["last_failed_at"] == "2020-02-02T10:00:00Z"


def test_old_runs_alone_are_named_by_the_newest(loaded: Database) -> None:
    result = run()

    assert (
        "Last 30 days\nNo run started in this time; the newest started 2020-02-0" in result.stdout
    )
    document = read_json(run("--json").stdout)
    assert document["results"]["pass_rate"] is None
    assert (document["slowest"], document["most_failing"]) == ([], [])


def test_empty_database_is_no_failure(database: Database) -> None:
    result = run()

    assert result.exit_code == 0
    assert "No run started in this time.\n" in result.stdout


def test_no_names_are_listed_when_none_are_wanted(loaded: Database) -> None:
    result = run("--days", ALWAYS, "--top", "0")

    assert "Pass rate" in result.stdout
    assert "tests" not in result.stdout.split("Pass rate")[1]


def test_tenant_is_named_beside_its_figures(loaded: Database) -> None:
    result = run("--days", ALWAYS, "--tenant", "default")

    assert f"Last {ALWAYS} days, tenant default\n" in result.stdout
    assert read_json(run("--tenant", "default", "--json").stdout)["tenant"] == "default"


@pytest.mark.parametrize(
    "words",
    [
        ["--days", "0"],
        ["--days", "999999999"],
        ["--top", "-1"],
        ["--days", "x"],
        ["--tenant", "no"],
    ],
)
def test_wrong_options_are_wrong_usage(loaded: Database, words: list[str]) -> None:
    result = run(*words)

    assert (result.exit_code, result.stdout) == (2, "")


def test_names_are_escaped_in_text_and_whole_in_json(database: Database, tmp_path: Path) -> None:
    name = f"🔥 {'n' * 300} \u202e"
    load_one(database, write_report(tmp_path / "r.xml", case(name, FAILURE)))

    text = run("--days", ALWAYS).stdout
    document = read_json(run("--days", ALWAYS, "--json").stdout)

    assert document["most_failing"][0]["name"] == name.strip()
    assert f"pkg.Tests 🔥 {'n' * 300} \\u202e\n" in text
    assert "\u202e" not in text
