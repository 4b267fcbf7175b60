"""The JSON edge: every type has one spelling, and what has none is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from uuid import UUID

import pytest

from qadb.cli.json_document import DatabaseIdentity, JsonValue, encode, header, to_json


class Colour(StrEnum):
    RED = "red"


class Code(IntEnum):
    FOUR = 4


@dataclass(frozen=True, slots=True)
class Row:
    path: Path
    rate: Decimal | None


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        (float("nan"), None),
        (float("-inf"), None),
        ("ü", "ü"),
        (Decimal("12.50"), 12.5),
        (Decimal(3), 3),
        (Decimal("NaN"), None),
        (Colour.RED, "red"),
        (Code.FOUR, 4),
        (Path("/a/b"), "/a/b"),
        (date(2026, 11, 22), "2026-11-22"),
        (datetime(2026, 11, 22, 7, 15, tzinfo=UTC), "2026-11-22T07:15:00Z"),
        (
            datetime(2026, 11, 22, 8, 15, 0, 5000, tzinfo=timezone(timedelta(hours=1))),
            "2026-11-22T07:15:00.005000Z",
        ),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Row(Path("a"), Decimal("0.1")), {"path": "a", "rate": 0.1}),
        ({"a": (1, [Colour.RED])}, {"a": [1, ["red"]]}),
        (frozenset({"b", "a"}), ["a", "b"]),
    ],
)
def test_values_have_one_spelling(value: object, written: JsonValue) -> None:
    found = to_json(value)

    assert found == written
    assert type(found) is type(written)


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_json(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize("value", [b"bytes", object(), timedelta(1), Row])
def test_type_without_a_spelling_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        to_json(value)


def test_header_comes_first_and_keeps_its_order() -> None:
    database = DatabaseIdentity("sqlite:////a.db", "sqlite", "3.40.1")

    assert list(header("status", database, 0.25).items()) == [
        ("schema_version", 1),
        ("command", "status"),
        ("database", {"url": "sqlite:////a.db", "engine": "sqlite", "server_version": "3.40.1"}),
        ("elapsed_seconds", 0.25),
    ]


def test_document_keeps_characters_and_order() -> None:
    text = encode({"z": "ü", "a": [1]}, "utf-8")

    assert text == '{\n  "z": "ü",\n  "a": [\n    1\n  ]\n}\n'


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_document_escapes_what_the_encoding_lacks(encoding: str) -> None:
    text = encode({"name": "日本"}, encoding)

    assert text.isascii()
    assert json.loads(text) == {"name": "日本"}
