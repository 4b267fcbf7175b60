"""status for CI systems: annotations, JUnit and JSON, with and without drift."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import fromstring

import pytest

from qadb.backends.catalog import Difference
from qadb.cli.views.checks import Check
from qadb.cli.views.drift import difference_line
from qadb.cli.views.github import github_commands
from qadb.cli.views.junit import junit_xml
from qadb.errors import ExitCode
from tests.support.databases import execute, open_database
from tests.support.program import ProgramInside
from tests.support.revisions import HEAD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.program import Program


@pytest.fixture
def qadb(migrated_url: str, tmp_path: Path) -> Program:
    """The program on a database at the newest revision."""
    return ProgramInside(tmp_path, {"QADB_DATABASE_URL": migrated_url})


@pytest.fixture
def drifted(migrated_url: str) -> None:
    """The database has a table too much and a column too few."""
    with open_database(migrated_url) as database:
        execute(
            database,
            "CREATE TABLE more (id INTEGER)",
            "ALTER TABLE test_cases DROP COLUMN expected_outcome",
        )


def test_annotations_say_where_it_stands(qadb: Program) -> None:
    ended = qadb("status", "--check", "--drift", "--format", "github")

    assert (ended.exit_code, ended.stderr) == (ExitCode.OK, "")
    (line,) = ended.stdout.splitlines()
    assert line.startswith("::notice title=qadb state::")
    assert line.endswith(f" is current at {HEAD}.")


@pytest.mark.usefixtures("drifted")
def test_annotations_name_each_difference(qadb: Program) -> None:
    ended = qadb("status", "--check", "--drift", "--format", "github", "--quiet")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    assert ended.stdout.splitlines()[1:] == [
        "::error title=qadb drift::table more: unexpected",
        "::error title=qadb drift::table test_cases column expected_outcome: missing",
    ]


@pytest.mark.usefixtures("drifted")
def test_junit_has_a_case_a_question(qadb: Program) -> None:
    ended = qadb("status", "--check", "--drift", "--format", "junit")

    suite = fromstring(ended.stdout)
    assert ended.exit_code == ExitCode.CHECK_FAILED
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    state, drift = suite.findall("testcase")
    assert (state.get("name"), state.find("failure")) == ("state", None)
    failure = drift.find("failure")
    assert failure is not None
    assert "expected_outcome: missing" in (failure.text or "")


@pytest.mark.usefixtures("drifted")
def test_json_has_the_whole_definitions(qadb: Program) -> None:
    ended = qadb("status", "--check", "--drift", "--format", "json")

    assert ended.exit_code == ExitCode.CHECK_FAILED
    drift = ended.document["drift"]
    assert (drift["status"], drift["reason"]) == ("found", None)
    more, outcome = drift["differences"]
    assert (more["object"], more["expected"]) == ("table more", None)
    assert more["found"] is not None
    assert (outcome["object"], outcome["found"]) == (
        "table test_cases column expected_outcome",
        None,
    )


def test_drift_is_looked_for_only_when_asked(qadb: Program) -> None:
    assert qadb("status", "--json").document["drift"] is None


@pytest.mark.usefixtures("drifted")
def test_text_lists_what_differs(qadb: Program) -> None:
    ended = qadb("status", "--drift")

    assert ended.exit_code == ExitCode.OK
    assert "2 objects differ" in ended.stdout
    assert qadb("status", "--check").exit_code == ExitCode.OK


def test_failure_before_the_answer_is_json_where_json_was_wanted(tmp_path: Path) -> None:
    qadb = ProgramInside(tmp_path, {"QADB_DATABASE_URL": "sqlite:///:memory:"})

    ended = qadb("status", "--format", "json")

    assert ended.exit_code == ExitCode.USAGE
    assert ended.document["error"]["code"] == "configuration"


def test_special_characters_survive_each_format() -> None:
    checks = [Check("a:b", "failed", ("100 %\nof <it> \x00",)), Check("c", "unknown", ("why",))]

    assert github_commands(checks).splitlines() == [
        "::error title=qadb a%3Ab::100 %25%0Aof <it> \x00",
        "::warning title=qadb c::why",
    ]
    suite = fromstring(junit_xml("qadb", checks))
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.text == "100 %\nof <it> "
    assert suite.get("errors") == "1"


def test_long_definitions_are_cut_to_where_they_part() -> None:
    same = "x" * 300
    line = difference_line(Difference("function f()", f"{same} one {same}", f"{same}\ntwo {same}"))

    assert len(line) < 300
    assert "one" in line
    assert "two" in line
