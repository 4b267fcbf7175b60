"""Payloads of other systems: decoded JSON read into items that hold what a row needs.

Owns which keys are read and what is refused.

A payload is a list of mappings, or a mapping with such a list under the entity's own name
(``features``; ``user_stories`` or ``stories``; ``test_cases`` or ``tests``), ``items`` or
``data``. It has to be complete: what it leaves out is retired. Keys that are not named here are
passed over:

============  =========================================================================
entity        keys of an item, alternatives with ``|``
============  =========================================================================
features      ``id|external_id``, ``title|name``, ``description``, ``section_id``,
              ``section_name``, ``section`` (an id, or ``{id, name}``), ``test_cases|tests``
user stories  ``id|external_id``, ``title|name``, ``requirements``, ``section_id``,
              ``section``, ``feature_id|feature``
test cases    ``id|external_id``, ``name|title``, ``case_key|key``, ``description``, ``suite``,
              ``classname``, ``file``, ``target_subsystem|subsystem``, ``expected_outcome``,
              ``tags``, ``features``
============  =========================================================================

Id and title are needed. Ids are text or whole numbers, which become text. What stands for another
item (``feature``, ``features``, ``test_cases``) is its id, or a mapping with one. A key that is
absent says nothing of its column; null empties it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FEATURE_LISTS = ("features",)
STORY_LISTS = ("user_stories", "stories")
CASE_LISTS = ("test_cases", "tests")
_ANY_LISTS = ("items", "data")
_ERRORS = ("error", "errors")

_ID = ("id", "external_id")
_CASE_ID = (*_ID, "case_key", "key")


@dataclass(frozen=True, slots=True)
class SyncItem:
    """One thing as the other system has it.

    Attributes:
        place: where it stands in the payload, such as ``features[3]``.
        external_id: its id over there.
        values: columns by their names, without those that the item says nothing of.
        links: the ids of what it is linked to; None when it says nothing of them.
    """

    place: str
    external_id: str
    values: Mapping[str, object]
    links: tuple[str, ...] | None


def read_features(payload: object) -> tuple[SyncItem, ...]:
    """Read features; their links are test cases, by case key or id.

    Raises:
        ValueError: there is no list, or an item is malformed; the message names its place.
    """
    return tuple(_distinct(_feature(item) for item in _items(payload, FEATURE_LISTS)))


def read_user_stories(payload: object) -> tuple[SyncItem, ...]:
    """Read user stories; their link, one or none, is a feature's id. Raises as `read_features`."""
    return tuple(_distinct(_story(item) for item in _items(payload, STORY_LISTS)))


def read_test_cases(payload: object) -> tuple[SyncItem, ...]:
    """Read test cases; their links are features' ids. Raises as `read_features`."""
    return tuple(_distinct(_case(item) for item in _items(payload, CASE_LISTS)))


def _feature(item: _Item) -> SyncItem:
    values = {
        "title": item.title("title", "name"),
        **item.text("description"),
        **item.identity("section_id", "section_id", "section"),
        **item.section_name(),
    }
    return SyncItem(item.place, item.own_id(), values, item.references("test_cases", "tests"))


def _story(item: _Item) -> SyncItem:
    values = {
        "title": item.title("title", "name"),
        **item.text("requirements"),
        **item.identity("section_id", "section_id", "section"),
    }
    found = item.identity("feature", "feature_id", "feature")
    feature = found.get("feature")
    links = () if feature is None else (feature,)
    return SyncItem(item.place, item.own_id(), values, links if found else None)


def _case(item: _Item) -> SyncItem:
    key = item.identity("case_key", "case_key", "key")
    values = {
        "name": item.title("name", "title"),
        **(key if key.get("case_key") else {}),
        **item.text("description"),
        **item.text("suite"),
        **item.text("classname"),
        **item.text("file"),
        **item.text("target_subsystem", "subsystem"),
        **item.text("expected_outcome"),
        **item.tags(),
    }
    return SyncItem(item.place, item.own_id(), values, item.references("features"))


def _items(payload: object, lists: tuple[str, ...]) -> Iterator[_Item]:
    names = (*lists, *_ANY_LISTS)
    name, found = lists[0], payload
    if isinstance(payload, Mapping):
        if any(payload.get(key) for key in _ERRORS):
            raise ValueError("the payload is an error document")
        name = next((key for key in names if key in payload), "")
        if not name:
            raise ValueError(f"the payload has no list; it lies under {', '.join(names)}")
        found = payload[name]
    if not isinstance(found, list | tuple):
        raise ValueError(f"a list of {lists[0]} is needed, not {type(found).__name__}")  # noqa: TRY004 - one exception for every bad payload
    for number, raw in enumerate(found):
        yield _Item(f"{name}[{number}]", raw)


def _distinct(items: Iterator[SyncItem]) -> Iterator[SyncItem]:
    places: dict[tuple[str, object], str] = {}
    for item in items:
        yield item
        for what, value in (("id", item.external_id), ("key", item.values.get("case_key"))):
            first = places.setdefault((what, value), item.place)
            if value is not None and first != item.place:
                raise ValueError(f"{item.place}: {first} has the {what} {value!r} already")


class _Item:
    """Reads the keys of one item."""

    def __init__(self, place: str, raw: object) -> None:
        self.place = place
        if not isinstance(raw, Mapping):
            raise self._bad(f"a mapping is needed, not {type(raw).__name__}")
        self._raw = raw

    def own_id(self) -> str:
        value = self._first(*_ID)
        found = None if value is None else self._id_of(value, "id", ())
        if found is None:
            raise self._bad("there is no id")
        return found

    def title(self, *keys: str) -> str:
        value = self._first(*keys)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise self._bad(f"there is no {keys[0]}")
        return self._checked(value, keys[0])

    def text(self, column: str, *others: str) -> dict[str, str | None]:
        if not self._states(column, *others):
            return {}
        value = self._first(column, *others)
        return {column: None if value is None else self._checked(value, column)}

    def identity(self, column: str, *keys: str) -> dict[str, str | None]:
        if not self._states(*keys):
            return {}
        value = self._first(*keys)
        return {column: None if value is None else self._id_of(value, column, _ID)}

    def section_name(self) -> dict[str, str | None]:
        section = self._raw.get("section")
        if self._states("section_name") or not isinstance(section, Mapping):
            return self.text("section_name")
        nested = _Item(f"{self.place}.section", {"section_name": section.get("name")})
        return nested.text("section_name") if "name" in section else {}

    def tags(self) -> dict[str, list[str] | None]:
        if not self._states("tags"):
            return {}
        value = self._raw["tags"]
        return {"tags": None if value is None else [*self._texts(value)]}

    def references(self, *keys: str) -> tuple[str, ...] | None:
        if not self._states(*keys):
            return None
        value = self._first(*keys)
        found = [self._id_of(one, keys[0], _CASE_ID) for one in self._listed(value, keys[0])]
        if None in found:
            raise self._bad(f"{keys[0]} holds an empty id")
        return tuple(dict.fromkeys(one for one in found if one is not None))

    def _texts(self, value: object) -> Iterator[str]:
        return (self._checked(tag, "tags") for tag in self._listed(value, "tags"))

    def _listed(self, value: object, key: str) -> Sequence[object]:
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self._bad(f"{key} must be a list, not {type(value).__name__}")
        return value

    def _states(self, *keys: str) -> bool:
        return any(key in self._raw for key in keys)

    def _first(self, *keys: str) -> object:
        """The first value that is not null."""
        return next((v for v in map(self._raw.get, keys) if v is not None), None)

    def _id_of(self, value: object, key: str, nested: tuple[str, ...]) -> str | None:
        """An id as text, taken out of a mapping where one may stand; None when it is empty."""
        if nested and isinstance(value, Mapping):
            value = next((v for v in map(value.get, nested) if v is not None), None)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return None if value is None else self._checked(value, key).strip() or None

    def _checked(self, value: object, key: str) -> str:
        if not isinstance(value, str):
            raise self._bad(f"{key} must be text, not {type(value).__name__}")
        if "\0" in value or not _is_unicode(value):
            raise self._bad(f"{key} holds a character that can't be stored")
        return value

    def _bad(self, problem: str) -> ValueError:
        return ValueError(f"{self.place}: {problem}")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
