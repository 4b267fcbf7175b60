"""Where a database stands, found out without writing to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qadb.errors import EmptyDatabase, QadbError, RevisionMismatch, UnmanagedDatabase
from qadb.revisions.state import (
    DatabaseState,
    State,
    read_state,
    require_current,
    require_managed,
)
from tests.revisions.running import go_down, go_up
from tests.support.databases import execute, sqlite_file

if TYPE_CHECKING:
    from qadb.database import Database


def stand_at(database: Database, *revisions: str) -> None:
    rows = [f"INSERT INTO qadb_version VALUES ('{revision}')" for revision in revisions]
    execute(database, "DELETE FROM qadb_version", *rows)


def names(state: DatabaseState) -> list[str]:
    return [revision.revision for revision in state.pending]


def test_empty_database_has_everything_pending(small: Database) -> None:
    state = read_state(small)

    assert (state.state, state.revision, state.head) == ("empty", None, "002")
    assert names(state) == ["001", "002"]


def test_absent_database_has_everything_pending(small_sqlite: Database, sqlite_url: str) -> None:
    sqlite_file(sqlite_url).unlink()

    state = read_state(small_sqlite)

    assert (state.state, state.revision, names(state)) == ("absent", None, ["001", "002"])
    assert not sqlite_file(sqlite_url).exists()


def test_database_between_revisions_is_behind(small: Database) -> None:
    go_up(small, "001")

    state = read_state(small)

    assert (state.state, state.revision, names(state)) == ("behind", "001", ["002"])


def test_database_taken_back_to_the_beginning_is_behind_and_not_empty(small: Database) -> None:
    go_up(small, "002")
    go_down(small, None)

    state = read_state(small)

    assert (state.state, state.revision, names(state)) == ("behind", None, ["001", "002"])


def test_database_at_head_is_current(small: Database) -> None:
    go_up(small, "002")

    assert read_state(small) == DatabaseState("current", "002", "002", ())


@pytest.mark.parametrize(
    ("revisions", "state", "revision"),
    [
        (["003"], "ahead", "003"),
        (["10"], "ahead", "10"),
        (["abc"], "forked", "abc"),
        (["001", "002"], "forked", "001, 002"),
        (["0"], "forked", "0"),
    ],
)
def test_revision_that_is_not_ours_is_ahead_or_forked(
    small: Database, revisions: list[str], state: State, revision: str
) -> None:
    go_up(small, "002")
    stand_at(small, *revisions)

    assert read_state(small) == DatabaseState(state, revision, "002", ())


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE users (id INTEGER)",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
    ],
)
def test_database_with_anything_of_somebody_else_is_unmanaged(
    small: Database, statement: str
) -> None:
    execute(small, statement)

    assert read_state(small) == DatabaseState("unmanaged", None, "002", ())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("empty", EmptyDatabase),
        ("absent", EmptyDatabase),
        ("unmanaged", UnmanagedDatabase),
        ("ahead", RevisionMismatch),
        ("forked", RevisionMismatch),
    ],
)
def test_every_state_that_can_not_be_migrated_has_a_sentence_and_a_hint(
    small_sqlite: Database, state: State, expected: type[QadbError]
) -> None:
    with pytest.raises(expected) as caught:
        require_managed(small_sqlite, DatabaseState(state, "9", "002", ()))

    assert small_sqlite.url.shown in caught.value.message
    assert caught.value.hint


def test_reading_data_needs_the_newest_revision(small: Database) -> None:
    go_up(small, "001")
    with small.connect() as connection, pytest.raises(RevisionMismatch) as caught:
        require_current(small, connection)
    assert "qadb migrate" in (caught.value.hint or "")

    go_up(small, "002")
    with small.connect() as connection:
        assert require_current(small, connection).revision == "002"
