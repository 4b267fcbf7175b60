"""Real processes: signals, broken pipes, full disks, closed streams, old encodings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import RunProgram, program, read_json

if TYPE_CHECKING:
    from pathlib import Path


def start_sleeping(*words: str) -> subprocess.Popen[str]:
    """Start the verb that works for long, and return when its work has begun."""
    process = subprocess.Popen(
        program(["sleep", *words]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "Warning: ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "exit_code", "sentence", "code"),
    [
        (signal.SIGTERM, 143, "Terminated.", "terminated"),
        (signal.SIGINT, 130, "Interrupted.", "interrupted"),
    ],
)
def test_signal_lets_the_work_tidy_up_and_ends_with_its_code(
    number: signal.Signals, exit_code: int, sentence: str, code: str
) -> None:
    process = start_sleeping("--json")

    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=10)

    assert process.returncode == exit_code
    assert stderr == f"Warning: tidied\n{sentence}\n"
    assert read_json(stdout)["error"]["code"] == code


def test_second_request_to_end_does_not_disturb_the_tidying() -> None:
    process = start_sleeping("--again")

    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=10)

    assert process.returncode == 143
    assert stderr == "Warning: tidied\nTerminated.\n"


def test_signal_that_is_ignored_by_the_parent_stays_ignored() -> None:
    script = (
        "import os, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    words = [sys.executable, "-c", script, *program(["sleep"])[1:]]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "Warning: ready\n"

    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)

    assert process.returncode == 130


def broken_pipe() -> int:
    """Return the writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["big"], 4),
        (["big", "--json"], 4),
        (["big", "--lines", "1"], 4),
        (["show"], 0),
        (["--help"], 0),
        (["show", "--help"], 0),
        (["--version"], 0),
        (["fail", "--json"], 3),
    ],
)
def test_reader_that_has_gone_away_changes_nothing(
    run_program: RunProgram, words: list[str], exit_code: int
) -> None:
    writing = broken_pipe()
    try:
        result = run_program(*words, stdout=writing)
    finally:
        os.close(writing)

    assert result.returncode == exit_code
    assert "Broken" not in result.stderr
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr


def test_reader_of_stderr_that_has_gone_away_changes_nothing(run_program: RunProgram) -> None:
    writing = broken_pipe()
    try:
        result = run_program("warn", stderr=writing)
        failure = run_program("fail", stderr=writing)
    finally:
        os.close(writing)

    assert (result.returncode, result.stdout) == (0, "an answer\n")
    assert failure.returncode == 3


@pytest.mark.parametrize("words", [["show"], ["show", "--json"], ["--help"], ["--version"]])
def test_answer_that_can_not_be_written_is_a_failure(tmp_path: Path, words: list[str]) -> None:
    limited = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *program(words)]
    with (tmp_path / "answer").open("w") as full:
        result = subprocess.run(
            limited, stdout=full, stderr=subprocess.PIPE, check=False, text=True, timeout=30
        )

    assert result.returncode == 1
    assert "File too large" in result.stderr
    assert "Traceback" not in result.stderr


def test_streams_that_are_closed_are_no_failure() -> None:
    words = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *program(["warn"])]

    assert subprocess.run(words, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_encoding_gets_a_valid_document(run_program: RunProgram, encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    result = run_program("show", "--tenant", "acme-1", "--json", env=environment)
    assert read_json(result.stdout)["tenant"] == "acme-1"

    result = run_program("typed", "日本.xml", "--json", env=environment)
    assert read_json(result.stdout)["files"] == ["日本.xml"]


def test_characters_that_an_encoding_lacks_are_escaped(run_program: RunProgram) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = run_program("crash", "--text", "日本", env=environment)

    assert result.returncode == 1
    assert r"\u65e5\u672c" in result.stderr


def test_file_name_that_is_no_utf_8_is_shown_with_escapes(run_program: RunProgram) -> None:
    name = os.fsdecode(b"\xff.xml")
    result = run_program("typed", name, "--json")

    assert result.returncode == 0
    assert read_json(result.stdout)["files"] == ["\udcff.xml"]
    assert r"\udcff.xml" in run_program("crash", "--text", name).stderr
