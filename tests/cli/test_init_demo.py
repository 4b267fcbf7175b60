"""`qadb init --demo`: its text, its document, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import run_on_terminal
from tests.support.databases import open_database
from tests.support.program import Program, ProgramInside
from tests.support.report_files import case, count_all, load_one, write_report
from tests.support.revisions import HEAD

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = {"added", "tenants", "seed", "scale", "rows", "elapsed_seconds"}


@pytest.fixture
def qadb(tmp_path: Path, database_url: str) -> Program:
    """The program in an empty folder, on an empty place."""
    folder = tmp_path / "work"
    folder.mkdir()
    return ProgramInside(folder, {"QADB_DATABASE_URL": database_url})


def test_text_says_what_was_added_and_where_to_look(qadb: Program) -> None:
    first = qadb("init", "--demo")
    again = qadb("init", "--demo", "--seed", "4")

    assert (first.exit_code, first.stderr) == (0, "")
    ready, added, hint = first.stdout.splitlines()[-3:]
    assert ready.endswith(f" is ready at revision {HEAD}.")
    assert added.startswith("Added the demo data (seed 1, scale 1): 8,9")
    assert " results of 199 runs and " in added
    assert " other rows for the tenants default and qadb-demo, in " in added
    assert hint == "Look at them with: qadb stats"
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.splitlines()[-1] == (
        "The demo data are there already (seed 1, scale 1); nothing was changed."
    )
    assert "nothing to do" in again.stdout


def test_managed_database_is_not_said_to_need_nothing(qadb: Program) -> None:
    qadb("init")

    lines = qadb("init", "--demo").stdout.splitlines()

    assert lines[0].endswith(f" is at {HEAD} already.")
    assert lines[1].startswith("Added the demo data")


def test_document_counts_rows_by_table(qadb: Program, database_url: str) -> None:
    without = qadb("init", "--json").document
    added = qadb("init", "--demo", "--json", "--seed", "7", "--scale", "2").document["demo"]
    again = qadb("init", "--demo", "--json").document["demo"]

    assert without["demo"] is None
    assert set(added) == set(again) == FIELDS
    assert (added["added"], added["seed"], added["scale"]) == (True, 7, 2)
    assert added["tenants"] == ["default", "qadb-demo"]
    assert added["elapsed_seconds"] > 0
    with open_database(database_url) as database:
        assert added["rows"]["test_results"] == count_all(database)["test_results"]
    assert (again["added"], again["seed"], again["scale"], again["rows"]) == (False, 7, 2, {})


def test_stats_show_the_demo_of_each_tenant(qadb: Program) -> None:
    qadb("init", "--demo")

    total, shop, books = (
        qadb("stats", "--json", *words).document["results"]["total"]
        for words in ([], ["--tenant", "default"], ["--tenant", "qadb-demo"])
    )

    assert total == shop + books
    assert min(shop, books) > 500


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed", "3"], "--scale and --seed go with --demo"),
        (["--scale", "3"], "--scale and --seed go with --demo"),
        (["--demo", "--scale", "0"], "--scale"),
        (["--demo", "--scale", "1001"], "--scale"),
        (["--demo", "--seed", "x"], "--seed"),
        (["--demo", "--tenant", "default"], "can't be confined to one"),
    ],
)
def test_wrong_options_are_wrong_usage_and_make_nothing(
    qadb: Program, words: list[str], message: str
) -> None:
    ended = qadb("init", *words)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert message in ended.stderr
    assert qadb("status", "--json").document["state"] in ("absent", "empty")


def test_tenant_of_the_environment_is_refused_too(qadb: Program) -> None:
    ended = qadb("init", "--demo", QADB_TENANT="acme")

    assert ended.exit_code == 2
    assert "QADB_TENANT" in ended.stderr


def test_database_with_a_report_is_refused_with_a_sentence_and_a_hint(
    qadb: Program, database_url: str, tmp_path: Path
) -> None:
    qadb("init")
    with open_database(database_url) as database:
        load_one(database, write_report(tmp_path / "r.xml", case("a")))

        text = qadb("init", "--demo")
        document = qadb("init", "--demo", "--json")

        assert (text.exit_code, text.stdout, document.exit_code) == (1, "", 1)
        error, hint = text.stderr.splitlines()
        assert " holds data already, in applications, " in error
        assert "qadb init --demo --database-url sqlite:///./demo.sqlite3" in hint
        assert document.document["error"]["code"] == "data_present"
        assert count_all(database)["test_results"] == 1


def test_large_demo_shows_a_bar_on_a_terminal(tmp_path: Path) -> None:
    program = Program(tmp_path)
    url = f"sqlite:///{tmp_path / 'qa.sqlite3'}"

    words = ("init", "--demo", "--scale", "12", "--database-url", url)
    seen = run_on_terminal(program.command(*words))

    assert seen.exit_code == 0
    assert "demo data" in seen.stderr
    assert "demo data" not in seen.stdout.split("Added the ")[0]
