"""Notes are found by their tags and by their words, the same ones on both engines."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from qadb.models import Note, User
from qadb.models.letters import words_of
from qadb.repositories.assistant.notes import NoteRepository
from qadb.repositories.generic.base import Repository
from tests.repositories.test_conversations import user_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from qadb.database import Database
    from qadb.sessions.unit import UnitOfWork


def add(session: Session, title: str, content: str = "", **values: Any) -> Note:
    user = values.pop("user_id", None) or user_of(session)
    return NoteRepository(session).create(user_id=user, title=title, content=content, **values)


def titles(rows: Sequence[Note]) -> list[str]:
    return [row.title for row in rows]


# Tags


@pytest.fixture
def tagged(acme: UnitOfWork) -> NoteRepository:
    add(acme, "1", tags=["a", "b", "a%b", '"q"', "é", "x,y", "{z}", "\\", "NULL", "1"])
    add(acme, "2", tags=["a", "B", "axb"], is_pinned=True)
    add(acme, "3", tags=["b", "c"])
    add(acme, "4", tags=[])
    add(acme, "5", tags=None)
    NoteRepository(acme).delete(add(acme, "6", tags=["a"]))
    other = Repository(acme, User).create(username="ada").id
    add(acme, "7", tags=["a"], user_id=other)
    return NoteRepository(acme)


@pytest.mark.parametrize(
    ("tags", "any_of", "all_of"),
    [
        (["a"], "21", "21"),
        (["a", "b"], "231", "1"),
        (["a", "a"], "21", "21"),
        (["c", "nothing"], "3", ""),
        (["a%b"], "1", "1"),
        (["a_b"], "", ""),
        (["%"], "", ""),
        (['"q"'], "1", "1"),
        (["q"], "", ""),
        (["e"], "", ""),
        (["é", "x,y", "{z}", "\\", "NULL", "1"], "1", "1"),
        (["x"], "", ""),
        (["'; DROP TABLE notes"], "", ""),
        ([""], "", ""),
        ([], "", ""),
    ],
)
def test_notes_are_found_by_their_tags(
    tagged: NoteRepository, tags: list[str], any_of: str, all_of: str
) -> None:
    user = user_of(tagged.session)
    assert titles(tagged.get_by_tags(user, tags)) == list(any_of)
    assert titles(tagged.get_by_tags(user, iter(tags), match_all=True)) == list(all_of)


def test_one_text_is_no_list_of_tags(tagged: NoteRepository) -> None:
    with pytest.raises(ValueError, match="list of tags"):
        tagged.get_by_tags(1, "ab")


# Words


@pytest.fixture
def worded(acme: UnitOfWork) -> NoteRepository:
    add(acme, "Crème brûlée", "bread AND butter; NOT jam")
    add(acme, "Failures", "src/foo.py at host.example.org:80, e-mail qa@x.org, version 1.5")
    add(acme, "foo_bar", "Ёлка ørsted Straße 日本語 col:value near(2)")
    NoteRepository(acme).delete(add(acme, "bread", "deleted"))
    other = Repository(acme, User).create(username="ada").id
    add(acme, "bread", "another's", user_id=other)
    return NoteRepository(acme)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("bread", [0]),
        ("BREAD brulee", [0]),
        ("cre\u0300me", [0]),
        ("bread jam butter creme", [0]),
        ("bread failures", []),
        ("foo.py", [1]),
        ("src/foo.py", [1]),
        ("py", [1]),
        ("example", [1]),
        ("host.example.org", [1]),
        ("e-mail", [1]),
        ("mail", [1]),
        ("qa@x.org", [1]),
        ("1.5", [1]),
        ("foo", [1, 2]),
        ("foo bar", [2]),
        ("foo_bar", [2]),
        ("fo", []),
        ("ёлка", [2]),
        ("ØRSTED", [2]),
        ("straße", [2]),
        ("日本語", [2]),
        ("日本", []),
        # no operator of either engine
        ("bread AND butter", [0]),
        ("bread OR failures", []),
        ("bread NOT butter", [0]),
        ("bread -butter", [0]),
        ("!bread", [0]),
        ("bread & butter", [0]),
        ("bread | failures", []),
        ("(bread", [0]),
        ('"butter bread"', [0]),
        ("'bread", [0]),
        ("bre*", []),
        ("bre:*", []),
        ("title:bread", []),
        ("col:value", [2]),
        ("NEAR(2)", [2]),
        ("NEAR(bread butter, 1)", []),
        ("bread <-> butter", [0]),
        ("^creme", [0]),
        ("{creme}", [0]),
        ("bread\\", [0]),
        ("bread\0butter", [0]),
        ("bread😀", [0]),
        ("", []),
        (" \t\n", []),
        ("!&|*'\"():<->-+^{}\\\0😀", []),
        ("\ud800", []),
        ("%", []),
    ],
)
def test_notes_are_found_by_all_of_the_words(
    worded: NoteRepository, words: str, expected: list[int]
) -> None:
    every = ["Crème brûlée", "Failures", "foo_bar"]
    found = titles(worded.search(user_of(worded.session), words))
    assert sorted(found) == sorted(every[place] for place in expected)


def test_many_words_are_no_error(worded: NoteRepository) -> None:
    user = user_of(worded.session)
    many = [f"w{number}" for number in range(10_000)]
    assert worded.search(user, " ".join(many)) == []
    note = add(worded.session, "many", " ".join(many))
    assert worded.search(user, " ".join(reversed(many))) == [note]
    assert worded.search(user, " ".join([*many, "w"])) == []
    long = add(worded.session, "long", "é" * 3000)
    assert worded.search(user, "E" * 3000) == [long]


def test_the_last_word_may_be_a_beginning(worded: NoteRepository) -> None:
    user = user_of(worded.session)
    assert titles(worded.search(user, "bread CRÈ", prefix=True)) == ["Crème brûlée"]
    assert worded.search(user, "cre bread", prefix=True) == []
    assert worded.search(user, "-", prefix=True) == []


def test_titles_weigh_more_and_ties_go_by_id(acme: UnitOfWork) -> None:
    for title, content in (
        ("other", "tea " * 3 + "and much more that says nothing"),
        ("same", "tea"),
        ("same", "tea"),
        ("tea", "other"),
    ):
        add(acme, title, content, is_pinned=title == "other")
    found = NoteRepository(acme).search(user_of(acme), "tea")
    assert found[0].title == "tea"
    same = [row.id for row in found if row.title == "same"]
    assert (same, len(same)) == (sorted(same), 2)
    assert NoteRepository(acme).search(user_of(acme), "tea", limit=1) == found[:1]
    with pytest.raises(ValueError, match="not 0"):
        NoteRepository(acme).search(1, "tea", limit=0)


def test_changed_notes_are_found_by_their_new_words(acme: UnitOfWork) -> None:
    notes, user = NoteRepository(acme), user_of(acme)
    note = add(acme, "tea")
    notes.update(note, title="coffee")
    assert (notes.search(user, "tea"), notes.search(user, "coffee")) == ([], [note])
    notes.delete(note)
    assert notes.search(user, "coffee") == []
    notes.restore(note)
    assert notes.search(user, "coffee") == [note]


def test_notes_of_another_tenant_are_not_found(database: Database) -> None:
    users = {}
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            users[tenant] = user_of(session, tenant)
            add(session, f"{tenant} tea", tags=["a"], user_id=users[tenant])
    with database.session(tenant="acme", read_only=True) as session:
        notes = NoteRepository(session)
        assert titles(notes.search(users["acme"], "tea")) == ["acme tea"]
        assert titles(notes.get_by_tags(users["acme"], ["a"])) == ["acme tea"]
        assert notes.search(users["rival"], "tea") == []
        assert notes.get_by_tags(users["rival"], ["a"]) == []
    with database.session(all_tenants=True) as session:
        assert titles(NoteRepository(session).search(users["rival"], "tea")) == ["rival tea"]
    with Session(database.engine()) as plain:
        assert titles(NoteRepository(plain).search(users["rival"], "tea")) == ["rival tea"]
        assert titles(NoteRepository(plain).get_by_tags(users["rival"], ["a"])) == ["rival tea"]


PIECES = (
    "foo Foo FOO é E\u0301 e ß ø Ø İ \u0131 日 1 5 . _ - / ' \" : * & | ! () 😀 \u0305 \u20d0 Ё ё"
)


def test_both_engines_find_what_the_words_say(acme: UnitOfWork) -> None:
    chance = random.Random(7)
    pieces = [*PIECES.split(" "), " ", " "]

    def text(most: int) -> str:
        return "".join(chance.choices(pieces, k=chance.randint(1, most)))

    rows = [add(acme, text(6), text(20)) for _ in range(60)]
    notes, user = NoteRepository(acme), user_of(acme)
    hits = 0
    for _ in range(150):
        asked = text(4)
        wanted = set(words_of(asked))
        expected = {
            row.id
            for row in rows
            if wanted and wanted <= {*words_of(row.title), *words_of(row.content)}
        }
        assert {row.id for row in notes.search(user, asked, limit=99)} == expected, asked
        hits += len(expected)
    assert hits > 100


TIDY = {"postgresql": "SELECT gin_clean_pending_list('idx_notes_search_document')"}
INDEXED = {
    "postgresql": "Bitmap Index Scan on idx_notes_search_document",
    "sqlite": "SCAN notes_search VIRTUAL TABLE INDEX 0:M2",
}


def test_the_search_goes_by_the_index(database: Database) -> None:
    with database.session(tenant="acme") as session:
        user = user_of(session)
        NoteRepository(session).create_many(
            {"user_id": user, "title": f"word{number}", "content": "x"} for number in range(20_000)
        )
    with database.connect() as connection:
        connection.exec_driver_sql(TIDY.get(database.backend.name, "SELECT 1"))
        connection.exec_driver_sql("ANALYZE notes")
    plans: list[str] = []

    def explain(_c: Connection, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        ask = "EXPLAIN QUERY PLAN" if database.backend.name == "sqlite" else "EXPLAIN"
        cursor.execute(f"{ask} {statement}", parameters)
        plans.append("\n".join(str(row) for row in cursor.fetchall()))

    with database.session(tenant="acme") as session:
        event.listen(database.engine(), "before_cursor_execute", explain)
        assert titles(NoteRepository(session).search(user, "word7")) == ["word7"]
        event.remove(database.engine(), "before_cursor_execute", explain)
    assert INDEXED[database.backend.name] in plans[0]
