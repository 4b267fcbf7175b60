"""On a terminal: colour, progress and questions; and none of them where they are not wanted."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Invoke, RunProgram, program, read_json
from tests.cli.terminal import run_on_terminal

ESCAPE = "\x1b"


def test_answer_has_colour_on_a_terminal() -> None:
    seen = run_on_terminal(program(["show", "--tenant", "acme"]))

    assert seen.exit_code == 0
    assert f"{ESCAPE}[1mShown{ESCAPE}[0m" in seen.stdout
    assert seen.stderr == ""


def test_error_has_colour_on_a_terminal() -> None:
    seen = run_on_terminal(program(["fail"]))

    assert seen.exit_code == 3
    assert seen.stdout == ""
    assert f"{ESCAPE}[31m{ESCAPE}[1mError:{ESCAPE}[0m Could not reach" in seen.stderr


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")])
@pytest.mark.parametrize("verb", ["show", "fail"])
def test_no_escape_is_written_where_no_colour_is_wanted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, verb: str
) -> None:
    monkeypatch.setenv(name, value)

    seen = run_on_terminal(program([verb]))

    assert seen.stdout + seen.stderr != ""
    assert ESCAPE not in seen.stdout + seen.stderr


def test_json_is_the_same_on_a_terminal() -> None:
    seen = run_on_terminal(program(["show", "--json"]))

    assert read_json(seen.stdout)["command"] == "show"
    assert ESCAPE not in seen.stdout


def test_nothing_moves_or_is_coloured_off_a_terminal(
    run_program: RunProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.setenv(variable, "1")

    result = run_program("move", "--seconds", "0.3")
    failure = run_program("fail")

    assert (result.stdout, result.stderr) == ("moved\n", "")
    assert ESCAPE not in failure.stderr


def test_long_work_shows_a_bar_on_a_terminal() -> None:
    seen = run_on_terminal(program(["move", "--seconds", "0.6"]))

    assert seen.exit_code == 0
    assert "copying [bold]" in seen.stderr
    assert "3.0 MB of 3.0 MB" in seen.stderr
    assert "moved" in seen.stdout
    assert "copying" not in seen.stdout


def test_short_work_shows_no_bar() -> None:
    assert run_on_terminal(program(["move"])).stderr == ""


def test_quiet_work_shows_no_bar() -> None:
    assert run_on_terminal(program(["move", "--quiet", "--seconds", "0.3"])).stderr == ""


@pytest.mark.parametrize(("answer", "exit_code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1)])
def test_destructive_command_asks_on_a_terminal(answer: str, exit_code: int) -> None:
    seen = run_on_terminal(program(["ask"]), typed=answer)

    assert seen.exit_code == exit_code
    assert "Drop everything? [y/N] " in seen.stderr
    assert ("dropped" in seen.stdout) == (exit_code == 0)
    assert ("Not confirmed; nothing was changed." in seen.stderr) == (exit_code == 1)


def test_end_of_input_is_no_confirmation() -> None:
    assert run_on_terminal(program(["ask"]), typed="\x04").exit_code == 1


def test_destructive_command_does_not_ask_with_yes() -> None:
    seen = run_on_terminal(program(["ask", "--yes"]))

    assert (seen.exit_code, seen.stderr) == (0, "")


def test_destructive_command_never_asks_with_json() -> None:
    seen = run_on_terminal(program(["ask", "--json"]), typed="y\n")

    assert seen.exit_code == 2
    assert read_json(seen.stdout)["error"]["code"] == "confirmation_required"
    assert "[y/N]" not in seen.stderr


def test_destructive_command_off_a_terminal_needs_yes(invoke: Invoke) -> None:
    refused = invoke("ask")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "nothing was changed" in refused.stderr
    assert "--yes" in refused.stderr
    assert invoke("ask", "--yes").stdout == "dropped\n"
