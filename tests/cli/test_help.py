"""Help: every verb listed, shared options everywhere, examples as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from qadb.cli.app import VERBS
from qadb.cli.app import app as qadb
from tests.cli.verbs import VERBS as TEST_VERBS

if TYPE_CHECKING:
    from tests.cli.conftest import Invoke

SHARED = [
    "--json",
    "--quiet",
    "--verbose",
    "--debug",
    "--database-url",
    "--tenant",
    "--env-file",
    "--help",
]


def test_help_lists_every_verb_with_its_first_line(invoke: Invoke) -> None:
    result = invoke("--help")

    assert (result.exit_code, result.stderr) == (0, "")
    listed = result.stdout.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed] == list(TEST_VERBS)
    assert "  fail       Fail as the database does." in listed


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_its_help_with_the_shared_options(verb: str) -> None:
    result = CliRunner().invoke(qadb, [verb, "--help"])

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: qadb {verb} ")
    own, shared = result.stdout.split("\nGlobal options:\n")
    assert "Example:\n" in own
    for option in SHARED:
        assert option in shared
        assert f"{option} " not in own.partition("\nOptions:\n")[2]


def test_help_of_a_verb_keeps_its_example_and_sets_its_own_options_apart(invoke: Invoke) -> None:
    assert "\n  Example:\n      qadb show --tenant acme\n" in invoke("show", "--help").stdout

    help_text = invoke("typed", "--help").stdout
    own = help_text.split("Arguments:\n")[1].split("\nGlobal options:\n")[0]
    assert "--steps <int range>" in own
    assert "<str>" not in own.split("\nOptions:\n")[0]
    assert "--json" not in own


def test_short_help_option_is_known(invoke: Invoke) -> None:
    assert invoke("show", "-h").stdout == invoke("show", "--help").stdout


def test_no_arguments_is_wrong_usage_that_shows_the_help(invoke: Invoke) -> None:
    result = invoke()

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == invoke("--help").stdout
