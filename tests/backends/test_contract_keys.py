"""What every backend promises of keys: each is found by its own id, in scope only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import true

from qadb.backends.postgresql import keys as postgresql_keys
from tests.backends.sample import SAMPLE, insert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement

    from qadb.database import Database

KEYS = ["plain", "", "it's", 'a "b" {c},d\\', "日本 🔥", "tab\tline\n", "NULL", "?:x%s", "null"]


def find(
    database: Database, keys: Iterable[str], scope: ColumnElement[bool] | None = None
) -> dict[str, int]:
    with database.connect(read_only=True) as connection:
        return database.backend.keys.find_ids(
            connection, SAMPLE, "key", keys, true() if scope is None else scope
        )


@pytest.fixture(params=["a small table", "a large table"])
def filled(
    sample: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Database:
    if request.param == "a large table":  # PostgreSQL goes another way then
        monkeypatch.setattr(postgresql_keys, "SMALL_TABLE_BYTES", 0)
    insert(sample, ("id", "key", "flag"), [(i, key, i > 3) for i, key in enumerate(KEYS)])
    return sample


def test_keys_are_found_as_they_were_written(filled: Database) -> None:
    assert find(filled, KEYS) == {key: i for i, key in enumerate(KEYS)}


def test_keys_without_a_row_are_left_out(filled: Database) -> None:
    assert find(filled, ["plain", "Plain", "plain ", "nothing"]) == {"plain": 0}
    assert find(filled, []) == {}


def test_rows_out_of_scope_are_not_found(filled: Database) -> None:
    assert find(filled, KEYS, SAMPLE.c.flag) == {key: i for i, key in enumerate(KEYS) if i > 3}


def test_thousands_of_keys_are_found_at_once(filled: Database) -> None:
    rows = [(1000 + i, f"key {i}") for i in range(40_000)]
    insert(filled, ("id", "key"), rows)

    assert find(filled, (key for _, key in rows)) == {key: i for i, key in rows}
