"""`qadb cleanup`: what it says, asks and ends with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from qadb.cli.app import app
from qadb.errors import ExitCode
from tests.operations.cleanup_scene import fill
from tests.support.databases import open_database

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

EVERYTHING = ("--days", "1")


@pytest.fixture
def url(migrated_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A database with something to clean up, in the environment."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("QADB_DATABASE_URL", migrated_url)
    with open_database(migrated_url) as database:
        fill(database)
    return migrated_url


def qadb(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_off_a_terminal_nothing_goes_without_yes(url: str) -> None:
    before = json.loads(qadb("cleanup", *EVERYTHING, "--dry-run", "--json").stdout)
    refused = qadb("cleanup", *EVERYTHING)
    after = json.loads(qadb("cleanup", *EVERYTHING, "--dry-run", "--json").stdout)

    assert refused.exit_code == ExitCode.USAGE
    assert "test_results (" in refused.stderr
    assert "--dry-run, then give --yes" in refused.stderr
    assert refused.stdout == ""
    assert before["tables"] == after["tables"]


def test_a_dry_run_says_what_then_goes(url: str) -> None:
    planned = json.loads(qadb("cleanup", *EVERYTHING, "--dry-run", "--json").stdout)
    done = json.loads(qadb("cleanup", *EVERYTHING, "--yes", "--json").stdout)

    assert planned["tables"] == done["tables"]
    assert (planned["dry_run"], done["dry_run"]) == (True, False)
    assert done["complete"]
    assert planned["freed_bytes"] > 0
    assert done["tables"]["test_runs"]["kept"]["protected"] == 1


def test_where_nothing_is_old_nobody_is_asked(url: str) -> None:
    qadb("cleanup", "--yes")
    done = qadb("cleanup")

    assert done.exit_code == ExitCode.OK
    assert "is old enough to go" in done.stdout


def test_the_text_says_what_went_and_what_stayed(url: str) -> None:
    done = qadb("cleanup", *EVERYTHING, "--yes")

    assert done.exit_code == ExitCode.OK
    assert "a baseline refers to them" in done.stdout
    assert "Deleted " in done.stdout
    assert "The system got " in done.stdout


def test_the_list_names_every_policy_and_who_says_so(url: str, tmp_path: Path) -> None:
    (tmp_path / "here" / "qadb.toml").write_text(
        'retention = { test_runs = 300, message_history = "never" }\n'
    )
    text = qadb("cleanup", "--list").stdout
    document = json.loads(qadb("cleanup", "--list", "--json").stdout)

    (runs,) = [line for line in text.splitlines() if line.startswith("test_runs ")]
    assert "300" in runs
    assert "qadb.toml" in runs
    policies = {each["table"]: each for each in document["policies"]}
    assert policies["message_history"]["days"] is None
    assert policies["audit_logs"]["days"] == 730
    assert policies["test_runs"]["source"].endswith("qadb.toml")


def test_a_time_limit_is_no_failure(url: str) -> None:
    done = qadb("cleanup", "--yes", "--max-seconds", "0")

    assert done.exit_code == ExitCode.OK
    assert "Time ran out" in done.stdout


def test_a_table_without_a_policy_is_wrong_usage(url: str) -> None:
    refused = qadb("cleanup", "--table", "test_results", "--yes")

    assert refused.exit_code == ExitCode.USAGE
    assert "go with those of test_runs" in refused.stderr
