"""Blocks as text: aligned, safe, and the same words in both renderers."""

from __future__ import annotations

import re

import pytest

from qadb.cli.blocks import Blank, Block, Column, Fields, Heading, Line, Marked, Table
from qadb.cli.render_plain import render_plain
from qadb.cli.render_rich import render_rich

LONG = "a.very.long.name." * 20

BLOCKS: list[Block] = [
    Fields([("Database", "sqlite:////a.db"), ("Size", "1.2 MB")]),
    Heading("Tests"),
    Table(
        [Column("Name"), Column("Runs", "right"), Column("Status")],
        [("checkout", "7", Marked("failed", "crit")), ("日本", "1,234", Marked("ok", "ok"))],
    ),
    Blank(),
    Line("One failed.", "crit"),
]

PLAIN = """\
Database:  sqlite:////a.db
Size:      1.2 MB

Tests
Name       Runs  Status
checkout      7  failed
日本      1,234  ok

One failed.
"""


def without_colour(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_plain_text_is_aligned() -> None:
    assert render_plain(BLOCKS) == PLAIN


def test_nothing_renders_as_nothing() -> None:
    assert render_plain([]) == ""
    assert render_plain([Fields([])]) == ""


def test_plain_text_is_never_cut() -> None:
    text = render_plain([Table([Column("Name"), Column("x")], [(LONG, "y")]), Line(LONG)])

    assert f"{LONG}  y\n" in text
    assert f"\n{LONG}\n" in text


def test_empty_table_says_so() -> None:
    table = Table([Column("Name")], [], empty="No tests yet.")

    assert render_plain([table]) == "No tests yet.\n"
    assert without_colour(render_rich([table])) == "No tests yet.\n"


def test_row_of_the_wrong_width_is_a_mistake_that_shows() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        render_plain([Table([Column("a")], [("1", "2")])])


def test_terminal_shows_the_same_words_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = render_rich(BLOCKS)

    words = without_colour(text).replace("─", "").split()
    assert words == PLAIN.split()
    assert "\x1b[1;31mOne failed." in text
    assert "\x1b[32mok" in text


def test_terminal_wraps_and_never_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = without_colour(render_rich([Table([Column("#"), Column("#")], [(LONG, "#")])]))

    letters = "".join(character for character in text if character in LONG)
    assert LONG in letters
    assert "…" not in text


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", ":smile:", "[link=http://x]y[/link]"])
def test_markup_in_a_value_is_shown_as_it_is(name: str) -> None:
    blocks: list[Block] = [
        Heading(name),
        Line(name, "ok"),
        Fields([(name, name)]),
        Table([Column(name)], [(name,)], name),
    ]
    assert render_plain(blocks).count(name) == 6
    assert without_colour(render_rich(blocks)).count(name) == 6


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("a\x9bb\x07", r"a\x9bb\x07"),
        ("a\u202eb\u2028", r"a\u202eb\u2028"),
        ("a\udcffb", r"a\udcffb"),
    ],
)
def test_control_characters_in_a_value_are_shown_and_not_obeyed(value: str, shown: str) -> None:
    blocks: list[Block] = [Line(value), Fields([("k", value)]), Table([Column("c")], [(value,)])]

    for text in (render_plain(blocks), without_colour(render_rich(blocks))):
        assert text.count(shown) == 3
        assert value not in text
