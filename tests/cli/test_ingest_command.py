"""`qadb ingest`: what it says where, its exit codes, and its document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from qadb.cli.app import app
from tests.cli.conftest import read_json
from tests.support.databases import fetch_rows, open_database
from tests.support.report_files import FAILURE, SKIPPED, case, suite, write_report

if TYPE_CHECKING:
    from pathlib import Path

NASTY = "\x1b[31mred\u202eלא\n🔥"


@pytest.fixture(autouse=True)
def _database(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QADB_DATABASE_URL", migrated_url)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return write_report(tmp_path / "r.xml", case("a"), case("b", FAILURE), case("c", SKIPPED))


def run(*words: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["ingest", *map(str, words)], input=stdin)


def test_answer_has_a_line_a_file_and_a_sum(report: Path) -> None:
    result = run(report)

    assert (result.exit_code, result.stderr) == (0, "")
    title, row, last = result.stdout.splitlines()
    assert title.split() == [
        "File",
        "Status",
        "Run",
        "Tests",
        "Passed",
        "Failed",
        "Errors",
        "Skipped",
    ]
    assert row.split() == [str(report), "ingested", "1", "3", "1", "1", "0", "1"]
    assert last.startswith("1 file ingested: 3 results into ")


def test_same_file_again_says_which_run_it_is(report: Path) -> None:
    run(report)

    result = run(report)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1].split()[1:4] == ["duplicate", "1", "-"]
    assert result.stdout.splitlines()[2].startswith("1 file duplicate: 0 results into ")


def test_document_has_every_field(report: Path, tmp_path: Path) -> None:
    (tmp_path / "coverage.xml").write_text("<coverage/>")

    result = run(tmp_path, "--run-key", "nightly", "--json")

    document = read_json(result.stdout)
    assert set(document) == {
        "schema_version", "command", "database", "elapsed_seconds", "files", "passed_over",
    }  # fmt: skip
    assert document["passed_over"] == [str(tmp_path / "coverage.xml")]
    (file,) = document["files"]
    assert file.pop("elapsed_seconds") > 0
    assert file == {
        "file": str(report),
        "format": "junit",
        "status": "ingested",
        "run_id": 1,
        "run_key": "nightly",
        "tests": {"total": 3, "passed": 1, "failed": 1, "errors": 0, "skipped": 1},
        "rows": 3,
        "warnings": [],
        "error": None,
    }
    assert result.stderr == (
        f"Warning: {tmp_path / 'coverage.xml'}: no report of a known format; passed over.\n"
    )


@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_bad_file_among_good_ones_is_an_error_in_the_normal_answer(
    report: Path, tmp_path: Path, option: str
) -> None:
    bad = tmp_path / "bad.xml"
    bad.write_text("<testsuite>\n<testcase name='x'>\n")

    result = run(bad, report, option)

    sentence = f"{bad}:3: is not well-formed XML: it ends before its elements are closed"
    assert result.exit_code == 1
    assert result.stderr == f"Error: {sentence}. Nothing of it was kept.\n"
    if option == "--json":
        first, second = read_json(result.stdout)["files"]
        assert (first["status"], first["error"]) == ("rejected", sentence)
        assert (first["run_id"], first["tests"]["total"]) == (None, 0)
        assert second["status"] == "ingested"
    else:
        assert "1 file ingested, 1 rejected: 3 results" in result.stdout


def test_hint_comes_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "coverage.xml"
    path.write_text("<coverage/>")

    result = run(path)

    assert result.exit_code == 1
    assert "Hint: " in result.stderr


def test_files_with_the_same_doubts_share_a_line(tmp_path: Path) -> None:
    paths = [write_report(tmp_path / f"{i}.xml", case(f"t{i}"), start=None) for i in range(3)]

    result = run(*paths)

    assert result.stderr == (
        f"Warning: {paths[0]} and 2 more: states no readable start; the run is dated now.\n"
    )


def test_quiet_says_nothing_of_a_success(report: Path) -> None:
    assert run(report, "--quiet").output == ""


def test_report_comes_from_stdin(migrated_url: str) -> None:
    result = run("-", "--json", stdin=suite([case("a")]))

    (file,) = read_json(result.stdout)["files"]
    assert (file["file"], file["status"], file["rows"]) == ("<stdin>", "ingested", 1)
    with open_database(migrated_url) as database:
        assert fetch_rows(database, "SELECT file_name FROM ingest_files") == [("<stdin>",)]


@pytest.mark.parametrize("name", ["empty", "missing.xml", "*.nothing", ""])
def test_nothing_to_load_is_a_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    result = run(name)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {name or repr('')}: ")


def test_build_is_read_from_the_environment_and_options_win(
    report: Path, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("TF_BUILD", raising=False)
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("CI_COMMIT_BRANCH", "from-ci")
    monkeypatch.setenv("CI_COMMIT_SHA", "abc")

    run(report)
    run(report, "--branch", "mine", "--application", "shop", "--environment", "ci-1")

    with open_database(migrated_url) as database:
        labels = fetch_rows(database, "SELECT branch, commit_sha FROM test_runs ORDER BY id")
        places = fetch_rows(database, "SELECT name, kind FROM environments")
    assert labels == [("from-ci", "abc"), ("mine", "abc")]
    assert places == [("ci-1", "ci")]


@pytest.mark.parametrize(
    "words",
    [["--tenant", "nobody"], ["--branch", "x" * 300], ["--format", "xunit9"], ["--run-key", ""]],
)
def test_wrong_options_are_wrong_usage(report: Path, words: list[str]) -> None:
    result = run(report, *words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")


def test_tenant_owns_what_it_loads(report: Path, migrated_url: str) -> None:
    with open_database(migrated_url) as database:
        with database.connect() as connection:
            connection.exec_driver_sql("INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")
        assert run(report, "--tenant", "acme").exit_code == 0
        assert fetch_rows(database, "SELECT DISTINCT tenant_id FROM test_results") == [("acme",)]


def test_no_database_is_said_with_the_way_out(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QADB_DATABASE_URL", f"sqlite:///{tmp_path / 'none.sqlite3'}")

    result = run(report)

    assert result.exit_code == 3
    assert "Hint: Create it with: qadb init" in result.stderr


def test_control_characters_are_escaped_in_text_and_whole_in_json(tmp_path: Path) -> None:
    path = write_report(tmp_path / f"{NASTY}.xml", case("a"), start=None)

    text, document = run(path), read_json(run(path, "--json").stdout)

    assert document["files"][0]["file"] == str(path)
    assert r"\x1b[31mred\u202eלא\n🔥.xml" in text.stdout
    assert r"\x1b[31mred\u202eלא 🔥.xml" in text.stderr
    assert "\x1b" not in text.output
