"""`qadb stats`: its text, its document, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from qadb.cli.app import app
from tests.cli.conftest import read_json
from tests.support.report_files import FAILURE, SKIPPED, case, load_one, write_report
from tests.support.rooms import fill_rooms

if TYPE_CHECKING:
    from pathlib import Path

    from qadb.database import Database

ALWAYS = "36500"


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


@pytest.fixture
def full(database: Database) -> Database:
    """A database with something in every room."""
    with database.session() as session:
        fill_rooms(session, "shop")
    return database


def sections(text: str) -> dict[str, list[str]]:
    """The lines under each heading, in order, blanks made one."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return {lines[0]: [" ".join(line.split()) for line in lines[1:]] for lines in blocks}


def test_every_room_with_rows_has_a_section(full: Database) -> None:
    found = sections(run("--days", ALWAYS).stdout)

    assert list(found)[2:] == [
        f"Last {ALWAYS} days", "Slowest tests", "Most failing tests", "Flaky tests",
        "Failures in common", "Coverage", "Bugs", "Security issues", "Performance against SLA",
        "Agents", "Tools",
    ]  # fmt: skip
    assert found["Flaky tests"][1:] == ["1 100.0 % 0 1 of 2 shop flaky"]
    failures = found["Failures in common"]
    assert failures[1].startswith("2 2 2026-11-2")
    assert failures[1].endswith(" AssertionError: shop is wrong")
    assert failures[2].endswith(" shop-other")
    assert found["Coverage"] == [
        "Lines: 75.0 % (75 of 100)",
        "Branches: 25.0 % (1 of 4)",
        "Day Lines Branches Functions Runs",
        "2026-11-19 50.0 % - - 1",
        "2026-11-20 75.0 % 25.0 % - 1",
    ]
    assert found["Bugs"] == ["Open: 2 (1 critical, 1 low)", "Mean time to resolve: 2 h 0 min"]
    assert found["Security issues"] == ["Open: 2 (1 high, 1 medium)"]
    assert found["Performance against SLA"] == [
        "SLAs: 1 missed, 1 met, 1 not measured",
        "SLA Measured Threshold Metric Where",
        "missed 250.5 ms 200 ms p95_response_time_ms shop-app GET /shop",
        "met 1.5 % 2.0 % error_rate shop-app GET /shop",
        "not measured - 1 ms p95_response_time_ms shop-app GET /never",
    ]
    assert found["Agents"] == [
        "Executions: 3 (1 completed, 1 failed, 1 running)",
        "Tokens: 1,200",
        "Executions Failed Tokens Mean Agent",
        "2 1 1,200 1.5 s shop",
        "1 0 0 - reviewer",
    ]
    assert found["Tools"] == [
        "Calls: 3 (1 successful, 1 failed, 1 running)",
        "Calls Failed Successful Mean Tool",
        "2 1 50.0 % 20 ms grep",
        "1 0 - - curl",
    ]


def test_top_cuts_the_lists_of_every_room(full: Database) -> None:
    one = sections(run("--days", ALWAYS, "--top", "1").stdout)
    none = sections(run("--days", ALWAYS, "--top", "0").stdout)

    assert [line.split()[0] for line in one["Coverage"]] == [
        "Lines:", "Branches:", "Day", "2026-11-20",
    ]  # fmt: skip
    assert len(one["Performance against SLA"]) == 3
    assert "Flaky tests" not in none
    assert none["Coverage"] == ["Lines: 75.0 % (75 of 100)", "Branches: 25.0 % (1 of 4)"]
    assert none["Performance against SLA"] == ["SLAs: 1 missed, 1 met, 1 not measured"]
    assert none["Tools"] == ["Calls: 3 (1 successful, 1 failed, 1 running)"]


def test_document_has_a_key_a_section(full: Database) -> None:
    document = read_json(run("--days", ALWAYS, "--json").stdout)

    assert document["flaky"][0] | {"test_case_id": 0} == {
        "test_case_id": 0, "name": "flaky", "suite": None, "classname": "shop", "runs": 2,
        "passed": 1, "failed": 1, "passed_on_retry": 0, "flips": 1, "flip_rate": 1.0,
    }  # fmt: skip
    assert document["failures"][0] == {
        "signature": "shop-sig", "count": 2, "tests": 2, "error_type": "AssertionError",
        "message": "shop is wrong\nin two lines", "first_seen_at": "2026-11-19T10:00:00Z",
        "last_seen_at": "2026-11-20T10:00:00Z",
    }  # fmt: skip
    trend = document["coverage"].pop("trend")
    assert document["coverage"] == {
        "line_coverage": 0.75, "branch_coverage": 0.25, "function_coverage": None,
        "covered_lines": 75, "total_lines": 100, "covered_branches": 1, "total_branches": 4,
        "covered_functions": 0, "total_functions": 0, "runs": 1,
    }  # fmt: skip
    assert [(point["date"], point["line_coverage"]) for point in trend] == [
        ("2026-11-19", 0.5), ("2026-11-20", 0.75),
    ]  # fmt: skip
    assert set(trend[0]) == {"date", *document["coverage"]}
    assert document["bugs"] == {
        "open": {"critical": 1, "high": 0, "medium": 0, "low": 1},
        "mean_seconds_to_resolve": 7200.0,
    }
    assert (document["security"]["open"]["high"], document["security"]["open"]["low"]) == (1, 0)
    slas = document["performance"].pop("slas")
    assert document["performance"] == {"met": 1, "violated": 1, "unmeasured": 1}
    assert (slas[0]["measured"], slas[0]["is_met"], slas[0]["margin"]) == (250.5, False, -50.5)
    assert (slas[2]["measured"], slas[2]["is_met"]) == (None, None)
    assert document["agents"]["by_agent"][0]["agent_name"] == "shop"
    assert document["tools"]["by_tool"][0]["success_rate"] == 0.5


def test_empty_rooms_have_their_keys_and_no_section(database: Database) -> None:
    document = read_json(run("--json").stdout)

    assert (document["flaky"], document["failures"]) == ([], [])
    assert (document["coverage"]["runs"], document["coverage"]["line_coverage"]) == (0, None)
    assert document["coverage"]["trend"] == []
    assert set(document["bugs"]["open"].values()) == {0}
    assert document["bugs"]["mean_seconds_to_resolve"] is None
    assert document["performance"] == {"met": 0, "violated": 0, "unmeasured": 0, "slas": []}
    assert (document["agents"]["executions"], document["tools"]["by_tool"]) == (0, [])
    assert list(sections(run().stdout))[2:] == ["Last 30 days"]


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
