"""Values from the command line: the right types, clear refusals."""

from __future__ import annotations

import pytest

from qadb.cli.coercion import parse_duration
from tests.cli.conftest import Invoke, read_json


def test_words_become_values_of_the_declared_types(invoke: Invoke) -> None:
    words = "typed a.xml b.xml --steps 3 --ratio 0.5 --kind junit --level high --wait 2s"
    document = read_json(invoke(*words.split(), "--name", "x", "--name", "y", "--json").stdout)

    assert document["files"] == ["a.xml", "b.xml"]
    assert (document["steps"], document["ratio"], document["wait"]) == (3, 0.5, 2.0)
    assert (document["kind"], document["level"], document["is_level"]) == ("junit", "high", True)
    assert document["name"] == ["x", "y"]


def test_defaults_have_the_declared_types(invoke: Invoke) -> None:
    document = read_json(invoke("typed", "a.xml", "--json").stdout)

    assert (document["steps"], document["ratio"], document["wait"]) == (1, None, 30.0)
    assert (document["kind"], document["level"], document["is_level"]) == ("auto", "low", True)
    assert document["name"] is None


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--steps", "two", "'two' is not a whole number."),
        ("--steps", "0", "0 is less than 1."),
        ("--steps", "10", "10 is more than 9."),
        ("--ratio", "half", "'half' is not a number."),
        ("--kind", "xml", "'xml' is not one of 'junit', 'auto'."),
        ("--level", "medium", "'medium' is not one of 'low', 'high'."),
        ("--wait", "soon", "'soon' is no duration; write 30, 2s, 500ms, 5min or 1h."),
    ],
)
def test_wrong_value_names_its_option(
    invoke: Invoke, option: str, value: str, sentence: str
) -> None:
    result = invoke("typed", "a.xml", option, value)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: Invalid value for '{option}': {sentence}\n")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("2s", 2), ("500ms", 0.5), ("1.5h", 5400), ("5 min", 300), ("1d", 86400), (7, 7)],
)
def test_durations_are_understood(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 week", "1e3", "nan", "1s2"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)
