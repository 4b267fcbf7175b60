"""The error boundary: exit codes, sentences, hints, documents, and no secret in any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from qadb.cli import streams
from tests.cli.conftest import Invoke, read_json
from tests.cli.verbs import CANARY, CANARY_URL

if TYPE_CHECKING:
    from pathlib import Path

SPELLINGS = [CANARY, CANARY.strip(), quote(CANARY, safe=""), "y%20@"]


def test_known_failure_is_a_sentence_a_hint_and_its_exit_code(invoke: Invoke) -> None:
    result = invoke("fail", "--database-url", "postgresql://qa:pw-qa@db.example.org/qadb")

    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        "Error: Could not reach postgresql://qa:***@db.example.org/qadb.\nHint: Start the server.\n"
    )


def test_known_failure_with_json_is_a_document_on_stdout_and_a_sentence_on_stderr(
    invoke: Invoke,
) -> None:
    result = invoke("--json", "fail")

    document = read_json(result.stdout)
    assert result.exit_code == 3
    assert document["command"] == "fail"
    assert document["database"] is None
    assert document["elapsed_seconds"] >= 0
    assert document["error"]["code"] == "unreachable"
    assert document["error"]["message"].startswith("Could not reach sqlite:")
    assert document["error"]["hint"] == "Start the server."
    assert result.stderr.startswith("Error: Could not reach")


def test_unexpected_failure_names_itself_and_the_way_to_a_traceback(invoke: Invoke) -> None:
    result = invoke("crash")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "Unexpected error: ValueError: boom\n"
        "Hint: Run the command again with --debug to see where it happened.\n"
    )


def test_unexpected_failure_without_text_still_names_its_kind(invoke: Invoke) -> None:
    assert invoke("crash", "--text", "").stderr.startswith("Unexpected error: ValueError\n")


def test_unexpected_failure_with_json_is_a_document(invoke: Invoke) -> None:
    result = invoke("crash", "--json")

    assert result.exit_code == 1
    assert read_json(result.stdout)["error"]["code"] == "unexpected"


def test_debug_adds_a_traceback(invoke: Invoke) -> None:
    result = invoke("crash", "--debug")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Traceback (most recent call last):" in result.stderr
    assert "raise ValueError(text)" in result.stderr
    assert result.stderr.endswith("Unexpected error: ValueError: boom\n")


@pytest.mark.parametrize("options", [(), ("--debug",), ("--json",), ("--json", "--debug")])
def test_no_spelling_of_a_secret_is_shown(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DATABASE_URL", CANARY_URL)

    result = invoke("leak", *options)

    assert result.exit_code == 3
    assert "Refused" in result.stderr
    for spelling in SPELLINGS:
        assert spelling not in result.output


def test_secret_in_a_wrong_command_line_is_hidden(invoke: Invoke) -> None:
    result = invoke("show", "postgresql://qa:hunter2@db.example.org/qadb")

    assert result.exit_code == 2
    assert "hunter2" not in result.stderr
    assert "postgresql://qa:***@db.example.org/qadb" in result.stderr


def test_secret_is_hidden_when_the_settings_can_not_be_loaded(invoke: Invoke) -> None:
    result = invoke("show", "--json", "--debug", "--database-url", "mysql://qa:hunter2@db/qadb")

    assert result.exit_code == 2
    assert read_json(result.stdout)["error"]["code"] == "configuration"
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["shwo"], "Error: No such command 'shwo'. Did you mean 'show'?\n"),
        (["zzz"], "Error: No such command 'zzz'.\n"),
        (["show", "--tenat", "x"], "Error: No such option: --tenat (Possible options: --tenant)\n"),
        (["--tenat", "x", "show"], "Error: No such option: --tenat (Possible options: --tenant)\n"),
        (["big", "--lines", "0"], "Error: Invalid value for '--lines': 0 is less than 1.\n"),
        (["usage"], "Error: Invalid value: REV and --steps exclude each other\n"),
        (["--json"], "Error: Missing command.\n"),
        (["typed"], "Error: Missing argument 'files'.\n"),
    ],
)
def test_wrong_usage_is_plain_text_on_stderr_with_json_too(
    invoke: Invoke, words: list[str], sentence: str
) -> None:
    for line in (words, ["--json", *words]):
        result = invoke(*line)

        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.startswith("Usage: qadb ")
        assert "--help' for help." in result.stderr
        assert result.stderr.endswith(sentence)


def test_control_characters_of_a_message_are_shown_and_not_obeyed(invoke: Invoke) -> None:
    result = invoke("crash", "--text", "red\x1b[31m\nHint: obey\x07")

    assert result.stderr.splitlines()[0] == (
        r"Unexpected error: ValueError: red\x1b[31m Hint: obey\x07"
    )


def test_interruption_ends_with_130(invoke: Invoke) -> None:
    result = invoke("interrupt", "--json")

    assert result.exit_code == 130
    assert result.stderr == "Interrupted.\n"
    assert read_json(result.stdout)["error"]["code"] == "interrupted"


def test_giving_up_ends_with_1(invoke: Invoke) -> None:
    result = invoke("abort")

    assert (result.exit_code, result.stderr) == (1, "Aborted.\n")


def test_broken_pipe_behind_the_work_is_a_failure(invoke: Invoke) -> None:
    result = invoke("pipe")

    assert result.exit_code == 1
    assert result.stderr.startswith("Unexpected error: BrokenPipeError")


def test_second_document_is_never_written(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    write = streams.write

    def write_and_fail(name: streams.StreamName, text: str) -> None:
        write(name, text)
        if name == "stdout":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(streams, "write", write_and_fail)

    result = invoke("show", "--json")

    assert result.exit_code == 1
    assert "error" not in read_json(result.stdout)
    assert "No space left" in result.stderr


@pytest.mark.parametrize("code", [0, 1, 4, 5])
def test_exit_code_of_a_command_is_that_of_the_process(invoke: Invoke, code: int) -> None:
    assert invoke("exits", "--code", str(code)).exit_code == code


def test_command_that_can_not_be_imported_is_an_unexpected_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    (tmp_path / "broken_verb.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(
        __import__("tests.cli.verbs", fromlist=["VERBS"]).VERBS, "broken", "broken_verb:run"
    )

    result = invoke("broken")

    assert result.exit_code == 1
    assert result.stderr.startswith("Unexpected error: ModuleNotFoundError")
