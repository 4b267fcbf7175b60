"""The key by which a test is recognised from run to run."""

from __future__ import annotations

import itertools

import pytest

from qadb.repositories.ingesting.case_keys import MAX_KEY_CHARS, make_case_key


def test_key_is_readable_where_it_can_be() -> None:
    assert make_case_key("shop", "suite", "pkg.Tests", "adds") == "shop::suite::pkg.Tests::adds"
    assert make_case_key("shop", None, None, "adds") == "shop::::::adds"


def test_parts_that_hold_the_separator_are_told_apart() -> None:
    words = ["a", "a::", "::a", "a::a", ":a", "a:", "::"]
    parts = list(itertools.product(words, [None, *words], [None, *words], words))

    assert len({make_case_key(*each) for each in parts}) == len(parts)


@pytest.mark.parametrize("position", range(4))
def test_long_parts_are_told_apart_by_their_ends(position: int) -> None:
    def key(ending: str) -> str:
        parts = ["a", "b", "c", "d"]
        parts[position] = "日" * 10_000 + ending
        return make_case_key(*parts)

    assert key("1") != key("2")
    assert key("1") == key("1")
    assert len(key("1")) <= MAX_KEY_CHARS


def test_key_of_the_longest_plain_name_is_plain() -> None:
    longest = "n" * (440 - len("a::b::c::"))

    assert make_case_key("a", "b", "c", longest) == f"a::b::c::{longest}"
    assert "#" in make_case_key("a", "b", "c", f"{longest}n")


@pytest.mark.parametrize(
    "suite",
    [
        "Test collection for X (id: 5fa1b2)",
        "run 123e4567-e89b-12d3-a456-426614174000",
        "nightly 2026-11-22T07:15:00.5Z",
    ],
)
def test_what_changes_from_run_to_run_in_a_suite_is_left_out(suite: str) -> None:
    key = make_case_key("app", suite, "c", "n")

    assert key in ("app::Test collection for X::c::n", "app::run::c::n", "app::nightly::c::n")
