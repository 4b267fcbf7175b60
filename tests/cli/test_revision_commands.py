"""init, migrate, rollback and status as a person, cron and a CI step use them."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import run_on_terminal
from tests.operations.foreign import fill_with_foreign_tables, stand_at
from tests.support.databases import execute, open_database
from tests.support.program import Program, ProgramInside
from tests.support.revisions import AFTER_HEAD, BEFORE_HEAD, HEAD, REVISIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from qadb.database import Database

HEADER = {"schema_version", "command", "database", "elapsed_seconds"}
STATUS = HEADER | {
    "state",
    "revision",
    "head",
    "pending",
    "size_bytes",
    "history",
    "last_backup",
    "last_cleanup",
}
STEP = {"revision", "direction", "applied_at", "elapsed_seconds", "user", "edited"}
APPLIED = HEADER | {"from", "to", "applied", "dry_run"}


@pytest.fixture
def process(tmp_path: Path) -> Program:
    """The program as real processes in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Program(folder)


@pytest.fixture
def qadb(tmp_path: Path) -> Program:
    """The program in an empty folder."""
    folder = tmp_path / "inside"
    folder.mkdir()
    return ProgramInside(folder)


@pytest.fixture
def at(migrated_url: str, qadb: Program) -> Program:
    """The program on a database at the newest revision."""
    return ProgramInside(qadb.folder, {"QADB_DATABASE_URL": migrated_url})


def make_behind(database: Database) -> None:
    stand_at(database, BEFORE_HEAD)


def make_ahead(database: Database) -> None:
    stand_at(database, AFTER_HEAD)


def make_forked(database: Database) -> None:
    stand_at(database, "side")


def leave_alone(database: Database) -> None:
    del database


STATES = [
    ("current", leave_alone, 0),
    ("behind", make_behind, 4),
    ("ahead", make_ahead, 4),
    ("forked", make_forked, 4),
]


def assert_is_status(document: dict[str, Any], state: str) -> None:
    assert document.keys() >= STATUS
    assert document["command"] == "status"
    assert document["state"] == state
    assert document["database"].keys() >= {"url", "engine", "server_version"}
    assert all(step.keys() >= STEP for step in document["history"])
    assert all(pending.keys() == {"revision", "title"} for pending in document["pending"])


@pytest.mark.parametrize(("state", "prepare", "check_code"), STATES)
def test_status_shows_every_state_of_a_managed_database(
    migrated_url: str,
    at: Program,
    state: str,
    prepare: Callable[[Database], None],
    check_code: int,
) -> None:
    with open_database(migrated_url) as database:
        prepare(database)

    shown = at("status")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert f"State:         {state}\n" in shown.stdout
    checked = at("status", "--check", "--json")
    assert (checked.exit_code, checked.stderr) == (check_code, "")
    assert_is_status(checked.document, state)
    assert len(checked.document["history"]) == len(REVISIONS)
    assert checked.document["size_bytes"] > 0
    assert checked.document["database"]["server_version"]


@pytest.mark.parametrize("state", ["empty", "unmanaged"])
def test_status_shows_every_state_of_a_database_that_is_not_ours_yet(
    database_url: str, qadb: Program, state: str
) -> None:
    with open_database(database_url) as database:
        database.create()
        if state == "unmanaged":
            fill_with_foreign_tables(database)

    shown = qadb("status", "--database-url", database_url)
    checked = qadb("status", "--check", "--json", "--database-url", database_url)

    assert (shown.exit_code, checked.exit_code) == (0, 4)
    assert state in shown.stdout
    assert_is_status(checked.document, state)
    assert checked.document["history"] == []
    assert len(checked.document["pending"]) == (0 if state == "unmanaged" else len(REVISIONS))


def test_status_of_what_is_not_there_creates_nothing(qadb: Program) -> None:
    shown = qadb("status")
    checked = qadb("status", "--check", "--json")

    assert (shown.exit_code, checked.exit_code) == (0, 4)
    assert "Create it with: qadb init" in shown.stdout
    assert_is_status(checked.document, "absent")
    assert checked.document["size_bytes"] is None
    assert list(qadb.folder.iterdir()) == []


def test_a_first_session_from_nothing_to_current(process: Program) -> None:
    made = process("init")
    again = process("init", "--json")

    file = process.folder / "data" / "qadb.sqlite3"
    assert (made.exit_code, made.stderr) == (0, "")
    assert made.stdout.startswith(f"Created sqlite:///{file}\n")
    assert made.stdout.endswith(f"is ready at revision {HEAD}.\n")
    assert again.document.keys() >= APPLIED | {"created"}
    assert (again.document["created"], again.document["applied"]) == (False, [])
    assert process("status", "--check").exit_code == 0


def test_init_of_a_current_database_says_so(at: Program) -> None:
    ended = at("init")

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.endswith(f"is at {HEAD} already: nothing to do.\n")


def test_rollback_and_migrate_say_what_they_did(at: Program, migrated_url: str) -> None:
    with open_database(migrated_url) as database:
        execute(database, "INSERT INTO holds (scope, scope_id, reason) VALUES ('run', '1', 'x')")

    back = at("rollback", "001", "--yes", "--json")
    assert (back.exit_code, back.stderr) == (0, "")
    assert back.document.keys() >= APPLIED | {"losses"}
    assert (back.document["from"], back.document["to"]) == (HEAD, "001")
    assert [step["revision"] for step in back.document["applied"]] == [*REVISIONS[:0:-1]]
    assert {"table": "holds", "column": None, "rows": 1} in back.document["losses"]

    forward = at("migrate", "--target", "2")
    assert (forward.exit_code, forward.stderr) == (0, "")
    assert "from 001 to 002.\n" in forward.stdout
    last = at("migrate", "--json").document
    assert last.keys() >= APPLIED
    assert [step["revision"] for step in last["applied"]] == [*REVISIONS[2:]]
    assert last["applied"][0].keys() == {"revision", "title", "elapsed_seconds"}


def test_dry_runs_change_nothing(at: Program) -> None:
    back = at("rollback", "002", "--dry-run")
    assert (back.exit_code, back.stderr) == (0, "")
    assert "test_results" in back.stdout
    assert back.stdout.endswith("Nothing was changed.\n")
    assert at("rollback", "002", "--dry-run", "--json").document["dry_run"]
    assert at("status", "--check").exit_code == 0

    at("rollback", "002", "--yes")
    assert at("migrate", "--dry-run").stdout.endswith("Nothing was changed.\n")
    assert at("status", "--json").document["revision"] == "002"


def test_rollback_off_a_terminal_needs_a_yes(at: Program) -> None:
    refused = at("rollback")
    document = at("rollback", "base", "--json")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--yes" in refused.stderr
    assert (document.exit_code, document.document["error"]["code"]) == (2, "confirmation_required")
    assert "countries (249)" in document.document["error"]["message"]
    assert at("status", "--check").exit_code == 0


@pytest.mark.parametrize(
    ("answer", "exit_code", "revision"), [("y", 0, BEFORE_HEAD), ("n", 1, HEAD)]
)
def test_rollback_asks_on_a_terminal(
    at: Program,
    migrated_url: str,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    exit_code: int,
    revision: str,
) -> None:
    monkeypatch.setenv("QADB_DATABASE_URL", migrated_url)
    monkeypatch.setenv("NO_COLOR", "1")

    seen = run_on_terminal(at.command("rollback"), typed=f"{answer}\n")

    assert seen.exit_code == exit_code
    assert f"back to {BEFORE_HEAD}" in seen.stderr
    assert "[y/N]" in seen.stderr
    assert at("status", "--json").document["revision"] == revision


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (
            ["rollback", "--steps", str(len(REVISIONS) + 1), "--yes"],
            2,
            f"it has {len(REVISIONS)} revisions",
        ),
        (["rollback", AFTER_HEAD, "--yes"], 2, f"There is no revision '{AFTER_HEAD}'"),
        (["rollback", "001", "--steps", "1"], 2, "not both"),
        (["rollback", "--steps", "0"], 2, "--steps"),
        (["migrate", "--target", "x"], 2, "There is no revision 'x'"),
        (["migrate", "--target", "1"], 1, "qadb rollback 001"),
        (["migrate", "--wait-lock", "soon"], 2, "soon"),
    ],
)
def test_wrong_usage_and_wrong_direction_change_nothing(
    at: Program, words: list[str], exit_code: int, said: str
) -> None:
    ended = at(*words)

    assert (ended.exit_code, ended.stdout) == (exit_code, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert at("status", "--check").exit_code == 0


def test_script_can_be_piped_into_a_client(qadb: Program) -> None:
    qadb("init", DATABASE_URL="sqlite:///./one.sqlite3")
    qadb("rollback", "base", "--yes", DATABASE_URL="sqlite:///./one.sqlite3")
    ended = qadb("migrate", "--sql", DATABASE_URL="sqlite:///./one.sqlite3")
    document = qadb("migrate", "--sql", "--json", DATABASE_URL="sqlite:///./one.sqlite3").document

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert document["sql"].split() == ended.stdout.split()
    assert document["dry_run"]
    with closing(sqlite3.connect(qadb.folder / "one.sqlite3")) as connection:
        connection.executescript(ended.stdout)
    status = qadb("status", "--check", DATABASE_URL="sqlite:///./one.sqlite3")
    assert status.exit_code == 0


def test_quiet_success_says_nothing(at: Program) -> None:
    for words in (["init"], ["rollback", "--yes"], ["migrate"], ["status"]):
        ended = at(*words, "--quiet")
        assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "", "")


def test_json_may_stand_before_the_verb(at: Program) -> None:
    assert_is_status(at("--json", "status").document, "current")


def test_status_runs_from_cron_with_an_almost_empty_environment(process: Program) -> None:
    process("init", DATABASE_URL=f"sqlite:///{process.folder / 'qa.sqlite3'}")
    ended = subprocess.run(
        process.command("status", "--check"),
        env={
            "PYTHONPATH": process.environment()["PYTHONPATH"],
            "DATABASE_URL": f"sqlite:///{process.folder / 'qa.sqlite3'}",
        },
        cwd="/",
        check=False,
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
