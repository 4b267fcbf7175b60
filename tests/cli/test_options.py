"""Shared options: before and after the verb, and what they lead to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from qadb import __version__
from tests.cli.conftest import Invoke, read_json

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "words", [("--json", "show"), ("show", "--json"), ("--json", "show", "--json")]
)
def test_json_may_stand_before_and_after_the_verb(invoke: Invoke, words: tuple[str, ...]) -> None:
    result = invoke(*words)

    assert result.exit_code == 0
    assert read_json(result.stdout)["command"] == "show"


def test_option_before_the_verb_reaches_it(invoke: Invoke) -> None:
    document = read_json(invoke("--json", "--tenant", "acme", "--debug", "show").stdout)

    assert document["tenant"] == "acme"
    assert document["debug"] is True


def test_option_after_the_verb_wins(invoke: Invoke) -> None:
    words = ["--tenant", "acme", "--database-url", "sqlite:///a.db", "show", "--tenant", "globex"]
    document = read_json(invoke(*words, "--json").stdout)

    assert document["tenant"] == "globex"
    assert document["database_url"] == "sqlite:///a.db"


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (("show",), "warning"),
        (("show", "-v"), "info"),
        (("-v", "show"), "info"),
        (("show", "-vv"), "debug"),
        (("show", "-vvv"), "debug"),
        (("show", "-v", "--verbose"), "debug"),
        (("-vv", "show", "-v"), "info"),
    ],
)
def test_verbosity_sets_the_log_level(invoke: Invoke, words: tuple[str, ...], level: str) -> None:
    assert read_json(invoke("--json", *words).stdout)["log_level"] == level


def test_verbosity_wins_over_the_environment(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QADB_LOG_LEVEL", "critical")

    assert read_json(invoke("show", "-v", "--json").stdout)["log_level"] == "info"


def test_env_file_is_read_in_place_of_the_nearest(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QADB_LOG_LEVEL=error\n")
    (tmp_path / "other.env").write_text("QADB_LOG_LEVEL=debug\n")

    assert read_json(invoke("show", "--json").stdout)["log_level"] == "error"
    chosen = invoke("--env-file", "other.env", "show", "--json")
    assert read_json(chosen.stdout)["log_level"] == "debug"


def test_env_file_that_is_missing_is_a_configuration_error(invoke: Invoke) -> None:
    result = invoke("show", "--env-file", "missing.env")

    assert result.exit_code == 2
    assert "missing.env" in result.stderr


def test_quiet_says_nothing_on_success_but_warnings(invoke: Invoke) -> None:
    result = invoke("warn", "--quiet")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "Warning: a warning\n"


def test_answer_and_notes_are_apart(invoke: Invoke) -> None:
    result = invoke("warn")

    assert result.stdout == "an answer\n"
    assert result.stderr == "a note\nWarning: a warning\n"


def test_quiet_still_shows_what_did_not_pass(invoke: Invoke) -> None:
    result = invoke("-q", "big", "--lines", "1")

    assert (result.exit_code, result.stdout) == (4, "line 0\n")


def test_quiet_still_shows_json(invoke: Invoke) -> None:
    assert read_json(invoke("warn", "-q", "--json").stdout)["command"] == "warn"


def test_version_is_one_line(invoke: Invoke) -> None:
    result = invoke("--version")

    assert (result.exit_code, result.stdout, result.stderr) == (0, f"qadb {__version__}\n", "")


def test_note_of_the_settings_goes_to_stderr(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUG", "app:*")

    result = invoke("show")

    assert result.exit_code == 0
    assert "DEBUG" in result.stderr
    assert "DEBUG" not in result.stdout
    assert invoke("show", "--quiet").stderr == ""


def test_document_names_the_database_that_was_opened(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "qadb.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE anything (id INTEGER)")

    result = invoke("opens", "--json", "--database-url", "sqlite:///qadb.sqlite3")

    assert result.exit_code == 0
    assert read_json(result.stdout)["database"] == {
        "url": f"sqlite:///{path}",
        "engine": "sqlite",
        "server_version": sqlite3.sqlite_version,
    }


def test_in_memory_database_is_refused(invoke: Invoke) -> None:
    result = invoke("opens", "--database-url", "sqlite://")

    assert result.exit_code == 2
    assert "in-memory" in result.stderr
