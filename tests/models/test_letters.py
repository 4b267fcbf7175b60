"""What a word is: the same to SQLite's tokenizer, to PostgreSQL's function and in Python."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from qadb.models.letters import _table, words_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

CODES = [*range(1, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0200)]
USED = [chr(code) for code in CODES]


def by_file(content: str) -> list[str]:
    return content.translate(_table()).split(" ")


def test_the_file_is_what_sqlites_tokenizer_does() -> None:
    connection = sqlite3.connect(":memory:")
    tokenizer = "unicode61 remove_diacritics 2"
    connection.execute(
        f"CREATE VIRTUAL TABLE words USING fts5(c, content='', tokenize='{tokenizer}')"
    )
    connection.execute("CREATE VIRTUAL TABLE found USING fts5vocab(words, instance)")
    rows = ((ord(character), f"x{character}y") for character in USED)
    connection.executemany("INSERT INTO words (rowid, c) VALUES (?, ?)", rows)
    found: dict[int, list[str]] = {}
    for code, term in connection.execute("SELECT doc, term FROM found ORDER BY doc, offset"):
        found.setdefault(code, []).append(term)
    connection.close()
    assert {c: found[ord(c)] for c in USED if found[ord(c)] != by_file(f"x{c}y")} == {}


def test_postgresqls_words_are_those_of_the_file(migrated_postgresql: Connection) -> None:
    query = text("SELECT tsvector_to_array(qadb_word_vector(:content))")
    size = 20_000
    for place in range(0, len(USED), size):
        content = " ".join(f"x{character}y" for character in USED[place : place + size])
        words = migrated_postgresql.scalar(query, {"content": content})
        assert set(words or ()) == set(by_file(content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", []),
        (" \t\n-_!'\"\\", []),
        ("src/foo.py", ["src", "foo", "py"]),
        ("https://example.org:80/?a=1.5", ["https", "example", "org", "80", "a", "1", "5"]),
        ("e-mail@x.org foo_bar", ["e", "mail", "x", "org", "foo", "bar"]),
        ("a1b2 1a", ["a1b2", "1a"]),
        ("Café CAFÉ cafe\u0301 CAFE", ["cafe"]),
        ("İstanbul ISTANBUL \u0131", ["istanbul", "\u0131"]),
        ("Straße STRAẞE strasse", ["straße", "strasse"]),
        ("Ørsted ørsted orsted", ["ørsted", "orsted"]),
        ("ΔΣ δς", ["δσ"]),
        ("Ёлка ёлка Елка", ["ёлка", "елка"]),
        ("日本語 テスト", ["日本語", "テスト"]),
        ("a\u20d0b c\u1ab0d", ["a", "b", "c\u1ab0d"]),
        ("😀 a😀b", ["a", "b"]),
        ("a\0b\ud800c", ["a", "b", "c"]),
        ("don\u2019t", ["don", "t"]),
    ],
)  # fmt: skip
def test_words_of_a_text(content: str, words: list[str]) -> None:
    assert words_of(content) == words
