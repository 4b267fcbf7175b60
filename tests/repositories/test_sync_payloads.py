"""Decoded payloads into items: which shapes are read, and what is refused where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.repositories.syncing.payloads import (
    SyncItem,
    read_features,
    read_test_cases,
    read_user_stories,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LOGIN = {"id": 7, "title": "Login"}


def test_a_feature_is_read_with_its_section_and_tests() -> None:
    full = {
        "external_id": "F-1",
        "name": "Login",
        "description": None,
        "section": {"id": 3, "name": "Account"},
        "tests": ["suite::test", 9, {"case_key": "suite::other"}, 9],
        "howto": "is passed over",
    }
    (found,) = read_features([full])
    assert found == SyncItem(
        "features[0]",
        "F-1",
        {"title": "Login", "description": None, "section_id": "3", "section_name": "Account"},
        ("suite::test", "9", "suite::other"),
    )


def test_what_an_item_does_not_state_is_left_out() -> None:
    assert read_features([LOGIN]) == (SyncItem("features[0]", "7", {"title": "Login"}, None),)
    assert read_user_stories([LOGIN])[0].links is None
    assert read_test_cases([LOGIN])[0].values == {"name": "Login"}


def test_sections_are_stated_flat_or_as_a_bare_id_too() -> None:
    flat = {**LOGIN, "section_id": "s", "section_name": "Account", "section": {"name": "other"}}
    assert read_features([flat])[0].values == {
        "title": "Login",
        "section_id": "s",
        "section_name": "Account",
    }
    assert read_features([{**LOGIN, "section": 4}])[0].values["section_id"] == "4"
    assert read_features([{**LOGIN, "section": None}])[0].values["section_id"] is None


@pytest.mark.parametrize(
    ("stated", "links"),
    [
        ({"feature_id": 7}, ("7",)),
        ({"feature": "F-1"}, ("F-1",)),
        ({"feature": {"id": 7, "title": "Login"}}, ("7",)),
        ({"feature": None}, ()),
        ({"feature_id": ""}, ()),
        ({}, None),
    ],
)
def test_a_story_names_its_feature(stated: dict[str, object], links: object) -> None:
    assert read_user_stories([{**LOGIN, **stated}])[0].links == links


def test_a_test_case_is_read() -> None:
    full = {
        **LOGIN,
        "key": "a::b",
        "suite": "a",
        "classname": "c",
        "file": "f.py",
        "description": "d",
        "subsystem": "payment",
        "expected_outcome": "paid",
        "tags": ["x", "y"],
        "features": [{"id": 1}, "2"],
    }
    (found,) = read_test_cases([full])
    assert found.values == {
        "name": "Login",
        "case_key": "a::b",
        "suite": "a",
        "classname": "c",
        "file": "f.py",
        "description": "d",
        "target_subsystem": "payment",
        "expected_outcome": "paid",
        "tags": ["x", "y"],
    }
    assert found.links == ("1", "2")


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (read_features, "features"),
        (read_features, "items"),
        (read_features, "data"),
        (read_user_stories, "user_stories"),
        (read_user_stories, "stories"),
        (read_test_cases, "tests"),
        (read_test_cases, "test_cases"),
    ],
)
def test_the_list_lies_under_its_usual_names(
    read: Callable[[object], tuple[SyncItem, ...]], name: str
) -> None:
    (found,) = read({"total": 1, name: [LOGIN]})
    assert (found.place, found.external_id) == (f"{name}[0]", "7")
    assert read({name: []}) == read([]) == ()


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (None, "a list of features is needed, not NoneType"),
        ("[]", "a list of features is needed, not str"),
        (7, "not int"),
        ({}, "no list; it lies under features, items, data"),
        ({"user_stories": []}, "no list"),
        ({"features": None}, "not NoneType"),
        ({"features": {"id": 1}}, "not dict"),
        ({"error": "rate limit"}, "error document"),
        ({"features": [], "errors": ["rate limit"]}, "error document"),
    ],
)
def test_a_payload_without_a_list_is_refused(payload: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_features(payload)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("F-1", "a mapping is needed, not str"),
        ({"title": "x"}, "there is no id"),
        ({"id": " ", "title": "x"}, "there is no id"),
        ({"id": True, "title": "x"}, "id must be text, not bool"),
        ({"id": 1.5, "title": "x"}, "id must be text, not float"),
        ({"id": {"id": 1}, "title": "x"}, "id must be text, not dict"),
        ({"id": 1}, "there is no title"),
        ({"id": 1, "title": "  "}, "there is no title"),
        ({"id": 1, "title": None}, "there is no title"),
        ({"id": 1, "title": 7}, "title must be text, not int"),
        ({"id": 1, "title": "x", "description": []}, "description must be text, not list"),
        ({"id": 1, "title": "a\0b"}, "title holds a character that can't be stored"),
        ({"id": 1, "title": "\ud800"}, "title holds a character that can't be stored"),
        ({"id": 1, "title": "x", "section": {"name": 1}}, "section_name must be text"),
        ({"id": 1, "title": "x", "section_id": []}, "section_id must be text, not list"),
        ({"id": 1, "title": "x", "test_cases": "a"}, "test_cases must be a list, not str"),
        ({"id": 1, "title": "x", "test_cases": [None]}, "test_cases holds an empty id"),
        ({"id": 1, "title": "x", "test_cases": [{}]}, "test_cases holds an empty id"),
        ({"id": "7", "title": "x"}, r"features\[0\] has the id '7' already"),
    ],
)
def test_a_malformed_item_is_refused_by_its_place(item: object, words: str) -> None:
    with pytest.raises(ValueError, match=rf"features\[1\].*{words}"):
        read_features([LOGIN, item])


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"tags": "x"}, "tags must be a list, not str"),
        ({"tags": [1]}, "tags must be text, not int"),
        ({"key": []}, "case_key must be text, not list"),
        ({"features": {"id": 1}}, "features must be a list, not dict"),
        ({"key": "k"}, r"test_cases\[0\] has the key 'k' already"),
    ],
)
def test_a_malformed_test_case_is_refused(item: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=rf"test_cases\[1\].*{words}"):
        read_test_cases([{**LOGIN, "key": "k"}, {"id": 8, "name": "x", **item}])
