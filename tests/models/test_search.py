"""Notes are found by their words on both engines, accents and case aside."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from qadb.models import Note, User

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

FINDS = {
    "sqlite": (
        "SELECT notes.id FROM notes JOIN notes_search ON notes_search.rowid = notes.id"
        " WHERE notes_search MATCH :word ORDER BY notes.id"
    ),
    "postgresql": (
        "SELECT id FROM notes WHERE search_document @@"
        " array_to_string(tsvector_to_array(qadb_word_vector(:word)), ' & ')::tsquery ORDER BY id"
    ),
}
CHECK_INDEX = "INSERT INTO notes_search (notes_search, rank) VALUES ('integrity-check', 1)"


def _find(connection: Connection, word: str) -> list[int]:
    statement = text(FINDS[connection.dialect.name])
    return list(connection.execute(statement, {"word": word}).scalars())


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Three notes of one user."""
    with Session(engine) as session:
        user = User(username="ada")
        session.add_all(
            [
                Note(id=1, user=user, title="Café crème", content="in Zürich"),
                Note(id=2, user=user, title="Groceries", content="bread, CRÈME fraîche"),
                Note(id=3, user=user, title="Façade", content=""),
            ]
        )
        session.commit()
    with engine.begin() as connection:
        yield connection


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("creme", [1, 2]),
        ("Crème", [1, 2]),
        ("CREME", [1, 2]),
        ("zurich", [1]),
        ("façade", [3]),
        ("bread", [2]),
        ("brea", []),
        ("groceries", [2]),
        (unicodedata.normalize("NFD", "crème"), [1, 2]),
    ],
)
def test_notes_are_found_by_their_words(
    connection: Connection, word: str, found: list[int]
) -> None:
    assert _find(connection, word) == found


def test_changed_notes_are_found_by_their_new_words(connection: Connection) -> None:
    connection.execute(text("UPDATE notes SET title = 'Tea', content = 'green' WHERE id = 1"))
    assert _find(connection, "creme") == [2]
    assert _find(connection, "green") == [1]
    connection.execute(text("UPDATE notes SET is_pinned = true WHERE id = 1"))
    assert _find(connection, "green") == [1]


def test_deleted_notes_are_not_found(connection: Connection) -> None:
    connection.execute(text("DELETE FROM notes WHERE id = 1"))
    assert _find(connection, "creme") == [2]
    connection.execute(text("DELETE FROM users"))
    assert _find(connection, "creme") == []


def test_a_long_note_is_kept_whole(connection: Connection) -> None:
    words = " ".join(f"word{number}" for number in range(200_000))
    update = text("UPDATE notes SET content = :words WHERE id = 3")
    connection.execute(update, {"words": words})
    assert _find(connection, "word7") == [3]
    kept = connection.execute(text("SELECT length(content) FROM notes WHERE id = 3"))
    assert kept.scalar_one() == len(words)


def test_postgresql_finds_notes_by_its_index(migrated_postgresql: Connection) -> None:
    connection = migrated_postgresql
    connection.exec_driver_sql("INSERT INTO users (username, role_id) VALUES ('ada', 1)")
    connection.exec_driver_sql(
        "INSERT INTO notes (user_id, title) SELECT users.id, 'word' || n FROM users,"
        " generate_series(1, 20000) n"
    )
    connection.exec_driver_sql("ANALYZE notes")
    plan = connection.execute(text(f"EXPLAIN {FINDS['postgresql']}"), {"word": "word7"})
    assert "idx_notes_search_document" in str(plan.all())
    assert len(_find(connection, "word7")) == 1


@pytest.fixture(params=["OFF", "ON"])
def sqlite(migrated_sqlite: Engine, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Two notes on SQLite, without and with recursive triggers."""
    with migrated_sqlite.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA recursive_triggers = {request.param}")
        connection.exec_driver_sql("INSERT INTO users (username, role_id) VALUES ('ada', 1)")
        for number, word in ((1, "tea"), (2, "milk")):
            connection.exec_driver_sql(f"INSERT INTO notes {_note(number, word)}")
        yield connection


def _note(number: int | str, word: str) -> str:
    return f"(id, user_id, title) VALUES ({number}, 1, '{word}')"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (f"INSERT OR REPLACE INTO notes {_note(1, 'coffee')}", {"coffee": [1], "milk": [2]}),
        (f"INSERT OR IGNORE INTO notes {_note(1, 'coffee')}", {"tea": [1], "milk": [2]}),
        (
            (
                f"INSERT INTO notes {_note(1, 'coffee')}"
                " ON CONFLICT (id) DO UPDATE SET title = excluded.title"
            ),
            {"coffee": [1], "milk": [2]},
        ),
        ("UPDATE OR REPLACE notes SET id = 2 WHERE id = 1", {"tea": [2]}),
        ("UPDATE OR IGNORE notes SET id = 2 WHERE id = 1", {"tea": [1], "milk": [2]}),
        ("UPDATE notes SET id = 7, title = 'juice' WHERE id = 1", {"juice": [7], "milk": [2]}),
        ("DELETE FROM notes", {}),
    ],
)
def test_sqlites_index_follows_every_kind_of_change(
    sqlite: Connection, statement: str, found: dict[str, list[int]]
) -> None:
    sqlite.exec_driver_sql(statement)
    words = ("tea", "milk", "coffee", "juice")
    assert {word: _find(sqlite, word) for word in words if _find(sqlite, word)} == found
    sqlite.exec_driver_sql(CHECK_INDEX)  # raises where the index and the notes disagree


def test_notes_that_were_spared_stay_in_sqlites_index(sqlite: Connection) -> None:
    sqlite.exec_driver_sql(f"INSERT OR IGNORE INTO notes {_note(1, 'coffee')}")
    sqlite.exec_driver_sql(f"INSERT INTO notes {_note(-1, 'odd')}")
    sqlite.exec_driver_sql("INSERT INTO notes (user_id, title) VALUES (1, 'juice')")
    assert [_find(sqlite, word) for word in ("tea", "odd", "juice")] == [[1], [-1], [3]]
    sqlite.exec_driver_sql(CHECK_INDEX)
